-- What lies in quarantine, by reason.
SELECT reason, count() AS records, min(arrived_at) AS first, max(arrived_at) AS last
FROM quarantine FINAL
WHERE replayed_at IS NULL
GROUP BY reason
ORDER BY records DESC, reason
