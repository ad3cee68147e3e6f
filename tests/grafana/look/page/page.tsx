// The page: a dashboard's variables, time range and grid, and `look.draw(…)`, which a test calls.
import { ThemeContext, createTheme, dateTime, rangeUtil } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, Icon, InlineLabel, LinkButton, PortalContainer, Select, TimeRangePicker, ToolbarButton } from '@grafana/ui';
import { ReactNode, StrictMode } from 'react';
import { Root, createRoot } from 'react-dom/client';
import { flushSync } from 'react-dom';
import { Answer, Panel, PanelView } from './panel';
import { Values, replacing } from './variables';

interface Variable {
  name: string;
  label?: string;
  type: string;
  hide?: number;
}

interface Dashboard {
  title: string;
  panels: Panel[];
  templating?: { list: Variable[] };
  links?: Array<{ title: string; type: string; url?: string; icon?: string }>;
}

interface Looked {
  dashboard: Dashboard;
  answers: Record<string, Answer>;
  from: number;
  to: number;
  timeText?: { from: string; to: string };
  timeZone: string;
  theme: 'light' | 'dark';
  variables: Values;
}

const ROW = 30;
const GAP = 8;
const COLUMNS = 24;
const MARGIN = 16;
const FONTS = ['400 14px Inter', '500 14px Inter', '400 14px "Roboto Mono"'];

const pixels = (cells: number) => cells * ROW + (cells - 1) * GAP;

/** The panels as they lie when every row is open: what a closed row holds is laid out below it, and what follows moves down. */
function opened(panels: Panel[]): Panel[] {
  const laid: Panel[] = [];
  let moved = 0;
  for (const panel of [...panels].sort((a, b) => a.gridPos.y - b.gridPos.y)) {
    const top = panel.gridPos.y + moved;
    laid.push({ ...panel, gridPos: { ...panel.gridPos, y: top } });
    if (panel.type === 'row' && panel.panels?.length) {
      const first = Math.min(...panel.panels.map((inner) => inner.gridPos.y));
      const last = Math.max(...panel.panels.map((inner) => inner.gridPos.y + inner.gridPos.h));
      laid.push(...panel.panels.map((inner) => ({ ...inner, gridPos: { ...inner.gridPos, y: inner.gridPos.y - first + top + 1 } })));
      moved += last - first;
    }
  }
  return laid;
}

const nothing = () => undefined;

function Heading({ dashboard, from, to, timeText, timeZone }: Looked) {
  const range = { from: dateTime(from), to: dateTime(to), raw: timeText ?? { from: dateTime(from), to: dateTime(to) } };
  return (
    <header>
      <Icon name="apps" size="lg" /> <span>Dashboards</span> <Icon name="angle-right" /> <b>{dashboard.title}</b>
      <span className="space" />
      <TimeRangePicker value={range} timeZone={timeZone} onChange={nothing} onChangeTimeZone={nothing} onMoveBackward={nothing} onMoveForward={nothing} onZoom={nothing} />
      <ToolbarButton icon="sync" variant="canvas" aria-label="Refresh" />
    </header>
  );
}

function Controls({ dashboard, variables }: Looked) {
  const shown = (dashboard.templating?.list ?? []).filter((variable) => variable.hide !== 2 && variable.type !== 'constant');
  return (
    <div className="controls">
      {shown.map((variable) => {
        const value = variables[variable.name];
        const text = value ? [value.text].flat().map((one) => one || '(empty)').join(' + ') : '';
        return (
          <div className="variable" key={variable.name} data-variable={variable.name}>
            {variable.hide === 1 ? null : <InlineLabel width="auto">{variable.label || variable.name}</InlineLabel>}
            <Select width="auto" options={[{ label: text, value: text }]} value={text} onChange={nothing} />
          </div>
        );
      })}
      <span className="space" />
      {(dashboard.links ?? []).map((link) => (
        <LinkButton key={link.title} variant="secondary" size="md" icon={link.type === 'dashboards' ? 'apps' : 'external-link-alt'} href="#">
          {link.title}
        </LinkButton>
      ))}
    </div>
  );
}

function Page(looked: Looked) {
  const { dashboard, answers, from, to, timeZone, variables } = looked;
  const replace = replacing(variables, from, to);
  const range = rangeUtil.convertRawToRange({ from: dateTime(from), to: dateTime(to) }, timeZone);
  const panels = opened(dashboard.panels);
  const column = (window.innerWidth - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
  const bottom = Math.max(...panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
  return (
    <>
      <Heading {...looked} />
      <Controls {...looked} />
      <main style={{ height: bottom * (ROW + GAP) }}>
        {panels.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const width = w * column + (w - 1) * GAP;
          const place = { left: MARGIN + x * (column + GAP), top: y * (ROW + GAP), width, height: pixels(h) };
          return (
            <div className="place" style={place} key={panel.id}>
              {panel.type === 'row' ? (
                <h6 data-row={panel.title}>
                  <Icon name="angle-down" /> {replace(panel.title, {}, 'text')}
                </h6>
              ) : (
                <PanelView panel={panel} answer={answers[panel.id]} width={width} height={pixels(h)} timeRange={range} timeZone={timeZone} replace={replace} />
              )}
            </div>
          );
        })}
      </main>
    </>
  );
}

/** Waits until nothing on the page has changed for a while: icons are fetched, panels measure themselves and draw again. */
async function settled(quietMs = 250, deadlineMs = 20_000): Promise<void> {
  await document.fonts.ready;
  const end = performance.now() + deadlineMs;
  let changed = performance.now();
  const observer = new MutationObserver(() => (changed = performance.now()));
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
  while (performance.now() - changed < quietMs || document.querySelector('[data-pending]')) {
    if (performance.now() > end) {
      throw new Error('the page does not come to rest');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  observer.disconnect();
}

function rowsOf(panel: HTMLElement): string[][] {
  const rows = [...panel.querySelectorAll('[role=row], tr')];
  return rows.map((row) => [...row.querySelectorAll<HTMLElement>('[role=columnheader], [role=gridcell], th, td')].map((cell) => cell.innerText.trim()));
}

/** What is seen of each panel. A table's cells exist only where they can be seen: the window is as high as the dashboard by then. */
async function seen() {
  await settled();
  const panels = [...document.querySelectorAll<HTMLElement>('[data-panel]')];
  return panels.map((element) => {
    const faults: string[] = JSON.parse(element.dataset.faults ?? '[]');
    const title = element.querySelector<HTMLElement>('h2');
    if (title && title.scrollWidth > title.clientWidth + 1) {
      faults.push('the title is cut');
    }
    const broken = element.querySelector<HTMLElement>('[data-broken]')?.dataset.broken;
    return {
      id: Number(element.dataset.panel),
      kind: element.dataset.kind,
      drawnAs: element.dataset.drawnAs,
      title: element.dataset.title,
      text: element.innerText,
      rows: rowsOf(element),
      error: broken ?? element.dataset.error ?? '',
      links: [...element.querySelectorAll('a[href]')].map((link) => link.getAttribute('href')),
      faults,
    };
  });
}

let root: Root | undefined;

async function draw(looked: Looked) {
  await initPluginTranslations('grafana-ui');
  const theme = createTheme({ colors: { mode: looked.theme } });
  document.body.style.background = theme.colors.background.canvas;
  document.body.className = `theme-${looked.theme}`;
  root?.unmount();
  root = createRoot(document.getElementById('page')!);
  const around = (page: ReactNode) => (
    <StrictMode>
      <ThemeContext.Provider value={theme}>
        <GlobalStyles />
        <PortalContainer />
        {page}
      </ThemeContext.Provider>
    </StrictMode>
  );
  // the fonts first: some panels measure their texts before they draw
  flushSync(() => root!.render(around(null)));
  await Promise.all(FONTS.map((font) => document.fonts.load(font)));
  flushSync(() => root!.render(around(<Page {...looked} />)));
  await settled();
  return document.getElementById('page')!.offsetHeight;
}

(window as unknown as { look: object }).look = { draw, seen };
