// One panel: its answers become frames, the dashboard's transformations and field options are applied, and Grafana's chrome is drawn around.
import {
  DataFrame,
  DataTransformerConfig,
  FieldConfigSource,
  GrafanaTheme2,
  LoadingState,
  TimeRange,
  applyFieldOverrides,
  cacheFieldDisplayNames,
  dataFrameFromJSON,
  fieldMatchers,
  fieldReducers,
  getFieldDisplayName,
  getValueFormats,
  standardTransformers,
  standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { PanelChrome, useTheme2 } from '@grafana/ui';
import { Component, ReactNode, useEffect, useState } from 'react';
import { Draw, hasSomething, standsInFor } from './drawings';
import { registryOf, withDefaults } from './fields';
import type { Replace } from './variables';

const known = [...new Map(Object.values(standardTransformers).map((one) => [one.id, one])).values()];
standardTransformersRegistry.setInit(() => known.map((one) => ({ id: one.id, name: one.name, transformation: async () => one })) as never);
const UNITS = new Set(getValueFormats().flatMap((category) => category.submenu.map((unit) => unit.value)));
const OWN_UNIT = /^(time|count|si|currency|bool|prefix|suffix):/;

export interface Panel {
  id: number;
  type: string;
  title?: string;
  description?: string;
  transparent?: boolean;
  gridPos: { x: number; y: number; w: number; h: number };
  options?: Record<string, any>;
  fieldConfig?: FieldConfigSource;
  transformations?: DataTransformerConfig[];
  targets?: Array<{ refId: string; hide?: boolean }>;
  collapsed?: boolean;
  repeat?: string;
  panels?: Panel[];
}

export interface Answer {
  results?: Record<string, { status?: number; error?: string; frames?: any[] }>;
}

interface Shown {
  frames: DataFrame[];
  faults: string[];
  error?: string;
}

function framesOf(panel: Panel, answer: Answer | undefined): Shown {
  const shown: Shown = { frames: [], faults: [] };
  for (const target of panel.targets ?? []) {
    const result = answer?.results?.[target.refId];
    if (target.hide) {
      continue;
    }
    if (!result) {
      shown.error = `no answer for query ${target.refId}`;
    } else if (result.error) {
      shown.error = result.error;
    }
    shown.frames.push(...(result?.frames ?? []).map((frame) => ({ ...dataFrameFromJSON(frame), refId: target.refId })));
  }
  return shown;
}

function transformed(frames: DataFrame[], steps: DataTransformerConfig[], replace: Replace): Promise<DataFrame[]> {
  return new Promise((resolve, reject) => {
    const context = { interpolate: (text: string) => replace(text) };
    transformDataFrame(steps, frames, context).subscribe({ next: resolve, error: reject });
  });
}

/** What Grafana leaves out in silence: ids that Grafana does not know, and overrides that match no field. */
function faultsOf(panel: Panel, frames: DataFrame[]): string[] {
  const faults: string[] = [];
  const registry = registryOf(panel.type);
  const unit = (id: unknown) => typeof id === 'string' && id !== '' && !UNITS.has(id) && !OWN_UNIT.test(id) && faults.push(`unknown unit ${id}`);
  for (const step of panel.transformations ?? []) {
    if (!standardTransformersRegistry.getIfExists(step.id)) {
      faults.push(`unknown transformation ${step.id}`);
    }
  }
  unit(panel.fieldConfig?.defaults?.unit);
  const reducers = [...(panel.options?.reduceOptions?.calcs ?? []), ...(panel.options?.legend?.calcs ?? [])];
  reducers.filter((id) => !fieldReducers.getIfExists(id)).forEach((id) => faults.push(`unknown calculation ${id}`));
  for (const rule of panel.fieldConfig?.overrides ?? []) {
    const matcher = fieldMatchers.getIfExists(rule.matcher.id);
    if (!matcher) {
      faults.push(`unknown matcher ${rule.matcher.id}`);
    } else if (frames.some((frame) => frame.fields.length) && rule.matcher.id === 'byName' && panel.type === 'table') {
      const matches = matcher.get(rule.matcher.options);
      if (!frames.some((frame) => frame.fields.some((field) => matches(field, frame, frames)))) {
        const names = frames.flatMap((frame) => frame.fields.map((field) => getFieldDisplayName(field, frame, frames)));
        faults.push(`the override for ${rule.matcher.options} matches none of ${names.join(', ')}`);
      }
    }
    for (const property of rule.properties) {
      if (!registry.getIfExists(property.id)) {
        faults.push(`unknown option ${property.id}`);
      }
      if (property.id === 'unit') {
        unit(property.value);
      }
    }
  }
  return faults;
}

async function prepared(panel: Panel, answer: Answer | undefined, replace: Replace, theme: GrafanaTheme2, timeZone: string): Promise<Shown> {
  const shown = framesOf(panel, answer);
  try {
    const frames = await transformed(shown.frames, panel.transformations ?? [], replace);
    const faults = [...shown.faults, ...faultsOf(panel, frames)];
    const fieldConfig = withDefaults(panel.type, panel.fieldConfig);
    const fieldConfigRegistry = registryOf(panel.type);
    const finished = applyFieldOverrides({ data: frames, fieldConfig, fieldConfigRegistry, replaceVariables: replace as never, theme, timeZone });
    cacheFieldDisplayNames(finished);
    return { ...shown, faults, frames: finished };
  } catch (error) {
    return { ...shown, error: String(error) };
  }
}

class Guard extends Component<{ children: ReactNode }, { broken?: string }> {
  state: { broken?: string } = {};
  static getDerivedStateFromError(error: unknown) {
    return { broken: String(error) };
  }
  render() {
    return this.state.broken ? <div data-broken={this.state.broken}>{this.state.broken}</div> : this.props.children;
  }
}

export interface PanelProps {
  panel: Panel;
  answer: Answer | undefined;
  width: number;
  height: number;
  timeRange: TimeRange;
  timeZone: string;
  replace: Replace;
}

export function PanelView({ panel, answer, width, height, timeRange, timeZone, replace }: PanelProps) {
  const theme = useTheme2();
  const [shown, setShown] = useState<Shown | null>(null);
  useEffect(() => {
    prepared(panel, answer, replace, theme, timeZone).then(setShown);
  }, [panel, answer, theme]);
  const title = replace(panel.title, {}, 'text');
  const frames = shown?.frames ?? [];
  const fieldConfig = withDefaults(panel.type, panel.fieldConfig);
  const common = { frames, options: panel.options ?? {}, fieldConfig, timeRange, timeZone, replace };
  return (
    <div data-panel={panel.id} data-kind={panel.type} data-drawn-as={standsInFor(panel.type)} data-title={title} data-faults={JSON.stringify(shown?.faults ?? [])} data-error={shown?.error ?? ''} data-pending={shown ? undefined : ''}>
      <PanelChrome
        width={width}
        height={height}
        title={title}
        description={panel.description ? () => replace(panel.description, {}, 'text') : undefined}
        displayMode={panel.transparent ? 'transparent' : 'default'}
        loadingState={shown?.error ? LoadingState.Error : LoadingState.Done}
        statusMessage={shown?.error}
        padding={panel.type === 'table' ? 'none' : 'md'}
      >
        {(innerWidth, innerHeight) =>
          shown && (
            <Guard>
              {hasSomething(panel.type, frames) ? (
                <Draw kind={panel.type} {...common} width={innerWidth} height={innerHeight} />
              ) : (
                <div className="nothing" style={{ width: innerWidth, height: innerHeight }}>
                  {fieldConfig.defaults.noValue ?? 'No data'}
                </div>
              )}
            </Guard>
          )
        }
      </PanelChrome>
    </div>
  );
}
