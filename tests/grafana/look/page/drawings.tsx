// One drawing a kind of panel, each of Grafana's own components, called as Grafana's panel plugins call them.
import {
  DataFrame,
  FieldConfigSource,
  FieldDisplay,
  FieldType,
  TimeRange,
  VizOrientation,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  renderMarkdown,
} from '@grafana/data';
import { BarGauge, BigValue, RenderUserContentAsHTML, TimeSeries, VizRepeater, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { merge } from 'lodash';
import type { JSX } from 'react';
import type { Replace } from './variables';

export interface Drawing {
  frames: DataFrame[];
  options: Record<string, any>;
  fieldConfig: FieldConfigSource;
  width: number;
  height: number;
  timeRange: TimeRange;
  timeZone: string;
  replace: Replace;
}

const REDUCED = { reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' }, orientation: 'auto' };

const OPTIONS: Record<string, object> = {
  timeseries: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] } },
  stat: { ...REDUCED, graphMode: 'area', colorMode: 'value', justifyMode: 'auto', textMode: 'auto', wideLayout: true, showPercentChange: false },
  bargauge: { ...REDUCED, displayMode: 'gradient', valueMode: 'color', namePlacement: 'auto', showUnfilled: true, sizing: 'auto', minVizWidth: 8, minVizHeight: 16, maxVizHeight: 300 },
  table: { showHeader: true, cellHeight: 'sm', sortBy: [] },
  text: { mode: 'markdown', content: '' },
};

function optionsOf(kind: string, given: object): Record<string, any> {
  return merge(structuredClone(OPTIONS[kind] ?? {}), given);
}

/** Frames with a time, sorted, as the time series panel takes them; nothing where no number is to be drawn. */
function graphable(frames: DataFrame[]): DataFrame[] {
  return frames.filter((frame) => frame.length > 0 && frame.fields.some((f) => f.type === FieldType.time) && frame.fields.some((f) => f.type === FieldType.number));
}

function Graph({ frames, options, width, height, timeRange, timeZone }: Drawing): JSX.Element {
  return <TimeSeries frames={graphable(frames)} width={width} height={height} timeRange={timeRange} timeZone={timeZone} legend={options.legend} options={options} />;
}

function displays({ frames, options, fieldConfig, replace, timeZone }: Drawing, theme: ReturnType<typeof useTheme2>): FieldDisplay[] {
  return getFieldDisplayValues({
    fieldConfig,
    reduceOptions: options.reduceOptions,
    replaceVariables: replace as never,
    theme,
    data: frames,
    sparkline: options.graphMode && options.graphMode !== 'none',
    percentChange: options.showPercentChange,
    timeZone,
  });
}

function Stat(drawing: Drawing): JSX.Element {
  const theme = useTheme2();
  const { width, height, options } = drawing;
  return (
    <VizRepeater
      getValues={() => displays(drawing, theme)}
      getAlignmentFactors={(values: FieldDisplay[]) => getDisplayValueAlignmentFactors(values)}
      renderValue={({ value, width, height, count, alignmentFactors }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          percentChangeColorMode={options.percentChangeColorMode}
          alignmentFactors={alignmentFactors}
          text={options.text}
          disableWideLayout={!options.wideLayout}
          width={width}
          height={height}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={drawing.frames}
      itemSpacing={3}
      renderCounter={0}
      autoGrid={true}
      orientation={options.orientation as VizOrientation}
    />
  );
}

function Bars(drawing: Drawing): JSX.Element {
  const theme = useTheme2();
  const { width, height, options } = drawing;
  const orientation = options.orientation === 'auto' ? (width > height ? VizOrientation.Vertical : VizOrientation.Horizontal) : options.orientation;
  return (
    <VizRepeater
      getValues={() => displays(drawing, theme)}
      getAlignmentFactors={(values: FieldDisplay[]) => getDisplayValueAlignmentFactors(values)}
      renderValue={({ value, width, height, alignmentFactors }) => (
        <BarGauge
          value={value.display}
          width={width}
          height={height}
          orientation={orientation}
          field={value.field}
          text={options.text}
          display={value.view?.getFieldDisplayProcessor(value.colIndex!)}
          theme={theme}
          itemSpacing={options.displayMode === 'lcd' ? 2 : 10}
          lcdCellWidth={12}
          displayMode={options.displayMode}
          alignmentFactors={alignmentFactors}
          showUnfilled={options.showUnfilled}
          valueDisplayMode={options.valueMode}
          namePlacement={options.namePlacement}
        />
      )}
      width={width}
      height={height}
      minVizWidth={options.minVizWidth}
      minVizHeight={options.minVizHeight}
      maxVizHeight={options.maxVizHeight}
      itemSpacing={10}
      source={drawing.frames}
      renderCounter={0}
      orientation={orientation}
    />
  );
}

export function Table({ frames, options, fieldConfig, width, height, timeRange }: Drawing): JSX.Element {
  const shown = frames[options.frameIndex ?? 0] ?? frames[0];
  return (
    <TableNG
      data={shown}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      enablePagination={options.enablePagination ?? options.footer?.enablePagination}
      timeRange={timeRange}
      fieldConfig={fieldConfig}
      noValue={fieldConfig.defaults.noValue}
      enableVirtualization={false}
      structureRev={1}
    />
  );
}

function Text({ options, replace }: Drawing): JSX.Element {
  const content = replace(options.content, {}, 'html');
  return <RenderUserContentAsHTML className="markdown-html" content={options.mode === 'html' ? content : renderMarkdown(content)} style={{ height: '100%', overflow: 'auto' }} />;
}

export const DRAWINGS: Record<string, (drawing: Drawing) => JSX.Element> = { timeseries: Graph, stat: Stat, bargauge: Bars, table: Table, text: Text };

/** What has no component in Grafana's packages is drawn as another kind with the same numbers: they can be read, the shape cannot be judged. */
export const standsInFor = (kind: string): string => (kind in DRAWINGS ? kind : kind === 'gauge' ? 'stat' : 'table');

export function Draw({ kind, ...drawing }: Drawing & { kind: string }): JSX.Element {
  const Component = DRAWINGS[standsInFor(kind)];
  const given = kind in DRAWINGS ? drawing.options : { reduceOptions: drawing.options.reduceOptions };
  return <Component {...drawing} options={optionsOf(standsInFor(kind), given)} />;
}

/** Whether the panel has something to show, as the panel itself decides it; else its no-data text is shown. */
export function hasSomething(kind: string, frames: DataFrame[]): boolean {
  switch (standsInFor(kind)) {
    case 'timeseries':
      return graphable(frames).length > 0;
    case 'table':
      return frames.some((frame) => frame.fields.length > 0);
    default:
      return true;
  }
}
