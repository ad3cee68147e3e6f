"""An SDK may change the dictionary of a chunk after the chunk was read: what the chunk stated then is what counts."""

from __future__ import annotations

from tokentrail.integrations.shapes.gemini import GeminiChunks


def test_fields_of_googles_usage() -> None:
    """Version 1.4 removes the fields that its types do not know (seen: thoughts, results of tools, details by kind)."""
    chunks = GeminiChunks({}, False)
    details = [{"modality": "IMAGE", "tokenCount": 5}]
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 25, "toolUsePromptTokenCount": 2, "promptTokensDetails": details}
    chunks.absorb({"usageMetadata": usage})
    for name in ("thoughtsTokenCount", "toolUsePromptTokenCount", "promptTokensDetails"):
        del usage[name]
    answer, _ = chunks.reading(exhausted=True)
    assert (answer.input_tokens, answer.output_tokens, answer.reasoning_tokens, answer.image_input_tokens) == (9, 28, 25, 5)
