// Options of fields: what Grafana's panels put in where a dashboard says nothing, and the ids that an override may name.
import {
  Field,
  FieldConfigOptionsRegistry,
  FieldConfigPropertyItem,
  FieldConfigSource,
  FieldType,
  Registry,
  booleanOverrideProcessor,
  dataLinksOverrideProcessor,
  displayNameOverrideProcessor,
  identityOverrideProcessor,
  numberOverrideProcessor,
  standardEditorsRegistry,
  stringOverrideProcessor,
  thresholdsOverrideProcessor,
  unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';
import { merge } from 'lodash';

standardEditorsRegistry.setInit(() => []);

type Processor = FieldConfigPropertyItem['process'];

const STANDARD: Record<string, Processor> = {
  displayName: displayNameOverrideProcessor as Processor,
  description: stringOverrideProcessor as Processor,
  unit: unitOverrideProcessor as Processor,
  min: numberOverrideProcessor as Processor,
  max: numberOverrideProcessor as Processor,
  fieldMinMax: booleanOverrideProcessor as Processor,
  decimals: numberOverrideProcessor as Processor,
  thresholds: thresholdsOverrideProcessor as Processor,
  mappings: valueMappingsOverrideProcessor as Processor,
  noValue: stringOverrideProcessor as Processor,
  links: dataLinksOverrideProcessor as Processor,
  actions: identityOverrideProcessor as Processor,
  color: identityOverrideProcessor as Processor,
  filterable: booleanOverrideProcessor as Processor,
};

const AXIS = 'axisPlacement axisLabel axisWidth axisSoftMin axisSoftMax axisGridShow axisCenteredZero axisColorMode axisBorderShow scaleDistribution';
const LINE =
  'drawStyle lineInterpolation barAlignment barWidthFactor barMaxWidth lineWidth fillOpacity gradientMode fillBelowTo lineStyle lineColor ' +
  'spanNulls insertNulls showPoints showValues pointSize stacking transform hideFrom thresholdsStyle';
const TABLE = 'width minWidth align cellOptions inspect filterable footer hidden hideFrom hideFrom.viz wrapText wrapHeaderText tooltip styleField';

const CUSTOM: Record<string, string[]> = {
  timeseries: `${AXIS} ${LINE}`.split(' '),
  table: TABLE.split(' '),
};

const GRAPH = {
  drawStyle: 'line',
  lineInterpolation: 'linear',
  lineWidth: 1,
  fillOpacity: 0,
  gradientMode: 'none',
  barAlignment: 0,
  barWidthFactor: 0.6,
  stacking: { mode: 'none', group: 'A' },
  axisGridShow: true,
  axisCenteredZero: false,
  axisBorderShow: false,
  axisPlacement: 'auto',
  axisColorMode: 'text',
  axisLabel: '',
  scaleDistribution: { type: 'linear' },
  showPoints: 'auto',
  pointSize: 5,
  spanNulls: false,
  insertNulls: false,
  hideFrom: { tooltip: false, viz: false, legend: false },
  thresholdsStyle: { mode: 'off' },
};

const THRESHOLDS = () => ({
  mode: 'absolute',
  steps: [
    { value: -Infinity, color: 'green' },
    { value: 80, color: 'red' },
  ],
});

export function registryOf(kind: string): FieldConfigOptionsRegistry {
  const item = (id: string, path: string, process: Processor, isCustom: boolean) =>
    ({ id, path, name: id, isCustom, process, shouldApply: applies(path), editor: () => null, override: () => null, settings: { expandTemplateVars: id === 'displayName' } }) as unknown;
  const items = [
    ...Object.entries(STANDARD).map(([id, process]) => item(id, id, process, false)),
    ...(CUSTOM[kind] ?? []).map((name) => item(`custom.${name}`, name, identityOverrideProcessor as Processor, true)),
  ];
  return new Registry(() => items as never) as unknown as FieldConfigOptionsRegistry;
}

function applies(path: string): (field: Field) => boolean {
  return path === 'stacking' || path === 'fillBelowTo' ? (field) => field.type === FieldType.number : () => true;
}

/** Hides fields as newer tables do where a dashboard says it as tables before Grafana 12 did: the table's own migration. */
function migrated(source: FieldConfigSource): FieldConfigSource {
  const hidden = (one: { id: string; value?: unknown }) => (one.id === 'custom.hidden' ? { id: 'custom.hideFrom.viz', value: one.value } : one);
  return { ...source, overrides: source.overrides.map((rule) => ({ ...rule, properties: rule.properties.map(hidden) })) };
}

export function withDefaults(kind: string, source: FieldConfigSource | undefined): FieldConfigSource {
  const graph = kind === 'timeseries';
  const defaults = {
    thresholds: THRESHOLDS(),
    mappings: [],
    color: { mode: graph ? 'palette-classic' : 'thresholds' },
    ...(graph ? { custom: structuredClone(GRAPH) } : {}),
    ...(kind === 'table' ? { custom: { align: 'auto', cellOptions: { type: 'auto' }, inspect: false } } : {}),
  };
  const merged = merge(defaults, { ...source?.defaults, thresholds: undefined, mappings: undefined });
  merged.thresholds = (source?.defaults?.thresholds ?? merged.thresholds) as never;
  merged.mappings = (source?.defaults?.mappings ?? []) as never;
  const first = merged.thresholds?.steps?.[0];
  if (first && first.value === null) {
    first.value = -Infinity;
  }
  return migrated({ defaults: merged, overrides: structuredClone(source?.overrides ?? []) } as FieldConfigSource);
}
