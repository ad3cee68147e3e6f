// Variables in titles, links and texts, put in as Grafana's browser side does.
import { DataFrame, Field, ScopedVars, formattedValueToString, getFieldDisplayName, textUtil } from '@grafana/data';

export type Value = string | string[];
export type Values = Record<string, { text: Value; value: Value }>;
export type Replace = (text: string | undefined, scoped?: ScopedVars, format?: unknown) => string;

const PATTERN = /\$(\w+)|\$\{(\w+)((?:\.[^:^}]+|\[[^\]]*\])*)(?::([^}]+))?\}|\[\[(\w+?)(?::(\w+))?\]\]/g;

const list = (value: Value): string[] => (Array.isArray(value) ? value : [value]);
const encoded = (text: string) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());

function formatted(name: string, value: Value, text: Value, format: unknown): string {
  const values = list(value);
  switch (format) {
    case 'raw':
      return String(value);
    case 'html':
      return textUtil.escapeHtml(values.join(', '));
    case 'text':
      return list(text).join(' + ');
    case 'csv':
      return values.join(',');
    case 'pipe':
      return values.join('|');
    case 'singlequote':
      return values.map((one) => `'${one.replace(/'/g, "\\'")}'`).join(',');
    case 'doublequote':
      return values.map((one) => `"${one.replace(/"/g, '\\"')}"`).join(',');
    case 'queryparam':
      return values.map((one) => `var-${name}=${encoded(one)}`).join('&');
    case 'percentencode':
      return encoded(values.length > 1 ? `{${values.join(',')}}` : values[0]);
    case 'uriencode':
      return encodeURI(values.length > 1 ? `{${values.join(',')}}` : values[0]);
    default:
      return values.length > 1 ? `{${values.join(',')}}` : (values[0] ?? '');
  }
}

interface DataContext {
  frame: DataFrame;
  data: DataFrame[];
  field: Field;
  rowIndex?: number;
  calculatedValue?: { text: string; numeric: number };
}

function ofTheData(name: string, path: string, context: DataContext | undefined): string | undefined {
  if (!context) {
    return undefined;
  }
  const { frame, field, rowIndex, calculatedValue, data } = context;
  const displayed = (of: Field) => {
    const value = of.values[rowIndex ?? 0];
    return of.display ? formattedValueToString(of.display(value)) : String(value);
  };
  if (name === '__field' || name === '__series') {
    return path.startsWith('.labels.') ? (field.labels?.[path.slice(8)] ?? '') : getFieldDisplayName(field, frame, data);
  }
  if (name === '__value') {
    if (path === '.time') {
      const time = frame.fields.find((one) => one.type === 'time');
      return String(time?.values[rowIndex ?? 0] ?? '');
    }
    if (calculatedValue && rowIndex === undefined) {
      return path === '.text' ? calculatedValue.text : String(calculatedValue.numeric);
    }
    return path === '.text' ? displayed(field) : String(field.values[rowIndex ?? 0] ?? '');
  }
  if (name === '__data') {
    const named = /^\.fields(?:\[(?:"([^"]*)"|'([^']*)'|(\d+))\]|\.([^.]+))(\.\w+)?$/.exec(path);
    const wanted = named?.[1] ?? named?.[2] ?? named?.[4];
    const other = frame.fields.find((one, index) => (named?.[3] ? index === Number(named[3]) : getFieldDisplayName(one, frame, data) === wanted || one.name === wanted));
    return other ? (named?.[5] === '.text' ? displayed(other) : String(other.values[rowIndex ?? 0] ?? '')) : undefined;
  }
  return undefined;
}

export function replacing(values: Values, from: number, to: number): Replace {
  const times: Record<string, string> = { __from: String(from), __to: String(to), __url_time_range: `from=${from}&to=${to}` };
  const all = Object.entries(values).map(([name, { value, text }]) => formatted(name, value, text, 'queryparam'));
  times.__all_variables = all.join('&');
  return (text, scoped, format) =>
    (text ?? '').replace(PATTERN, (match, plain, braced, path, own, square, squareFormat) => {
      const name: string = plain ?? braced ?? square;
      if (name in times) {
        return times[name];
      }
      const how = own ?? squareFormat ?? format;
      const found = ofTheData(name, path ?? '', scoped?.__dataContext?.value as DataContext | undefined);
      if (found !== undefined) {
        return formatted(name, found, found, how);
      }
      const variable = (scoped?.[name] as { text: Value; value: Value } | undefined) ?? values[name];
      return variable ? formatted(name, variable.value, variable.text, how) : match;
    });
}
