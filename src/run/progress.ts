// Progress on stderr: a bar on a terminal, JSON lines elsewhere.

import type { Writable } from 'node:stream'
import cliProgress from 'cli-progress'
import pino from 'pino'

type Stderr = Writable & { readonly isTTY?: boolean }

/** `auto`: a bar if stderr is a terminal. */
export type LogMode = 'auto' | 'bar' | 'json'

/** What a command tells while it works; `begin` comes before `advance`, `end` last. */
export interface Progress {
  /** Rows in all, and rows that earlier processes finished. */
  begin(totalRows: number, doneRows: number): void
  /** @param rows that have their end now, 1 if absent; negative: that must be done again */
  advance(rows?: number): void
  /** A line for people; on a terminal it stands above the bar. */
  note(message: string, fields?: Readonly<Record<string, string | number>>): void
  /** A line that asks for attention. */
  warn(message: string, fields?: Readonly<Record<string, string | number>>): void
  end(): void
}

const REPORT_EVERY_MS = 10_000
/** Rates are averages over the last this many milliseconds, so that an ETA follows a change of pace. */
const RATE_WINDOW_MS = 60_000

/** Nothing is drawn before `begin`; notes are written at once. */
export function createProgress(stderr: Stderr, mode: LogMode): Progress {
  const isBar = mode === 'bar' || (mode === 'auto' && stderr.isTTY === true)
  return isBar ? barProgress(stderr) : jsonProgress(stderr)
}

function barProgress(stderr: Stderr): Progress {
  const bars = new cliProgress.MultiBar(
    {
      stream: stderr,
      format: '{bar} {percentage}% | {value}/{total} rows | {rate} rows/s | {eta_text} left',
      hideCursor: true,
      clearOnComplete: false,
      fps: 5,
      gracefulExit: false, // signals are the caller's
    },
    cliProgress.Presets.shades_classic,
  )
  let bar: cliProgress.SingleBar | undefined
  let pace: Pace | undefined
  // Lines wait for the next drawing of the bar, which does not come once it has stopped.
  let waiting: string[] = []
  bars.on('redraw-post', () => {
    waiting = []
  })
  const line = (message: string) => {
    if (bar === undefined) {
      stderr.write(`${message}\n`)
      return
    }
    waiting.push(message)
    bars.log(`${message}\n`)
  }
  return {
    begin(totalRows, doneRows) {
      pace = createPace(totalRows, doneRows)
      bar = bars.create(totalRows, doneRows, { rate: '-', eta_text: '-' })
    },
    advance(rows = 1) {
      const { rate, etaSeconds } = pace!.advance(rows)
      bar!.increment(rows, { rate: rate.toFixed(1), eta_text: formatSeconds(etaSeconds) })
    },
    note: line,
    warn: (message) => {
      line(`warning: ${message}`)
    },
    end() {
      bars.stop()
      bar = undefined
      for (const message of waiting) line(message)
    },
  }
}

function jsonProgress(stderr: Stderr): Progress {
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stderr)
  let pace: Pace | undefined
  let timer: NodeJS.Timeout | undefined
  const report = () => {
    if (pace === undefined) return
    const { done, total, rate, etaSeconds } = pace.now()
    log.info(
      { rows: done, total, rowsPerSecond: round(rate), etaSeconds: round(etaSeconds) },
      'progress',
    )
  }
  return {
    begin(totalRows, doneRows) {
      pace = createPace(totalRows, doneRows)
      timer = setInterval(report, REPORT_EVERY_MS)
      timer.unref()
    },
    advance(rows = 1) {
      pace!.advance(rows)
    },
    note: (message, fields = {}) => {
      log.info(fields, message)
    },
    warn: (message, fields = {}) => {
      log.warn(fields, message)
    },
    end() {
      clearInterval(timer)
      report()
    },
  }
}

interface PaceNow {
  readonly done: number
  readonly total: number
  /** Rows per second. */
  readonly rate: number
  readonly etaSeconds: number
}

interface Pace {
  advance(rows: number): PaceNow
  now(): PaceNow
}

function createPace(total: number, initial: number): Pace {
  let done = initial
  let marks = [{ at: performance.now(), done }]
  const now = (): PaceNow => {
    const at = performance.now()
    const last = marks.at(-1)!
    if (at - last.at > 1000) {
      marks.push({ at, done })
      marks = marks.filter(
        (mark, index) => at - mark.at <= RATE_WINDOW_MS || index === marks.length - 1,
      )
    }
    const first = marks[0]!
    const seconds = (at - first.at) / 1000
    const rate = seconds > 0 ? (done - first.done) / seconds : 0
    return { done, total, rate, etaSeconds: rate > 0 ? (total - done) / rate : Infinity }
  }
  return {
    now,
    advance(rows) {
      done += rows
      return now()
    },
  }
}

/** E.g. "2h05m", "3m20s", "12s"; "-" when unknown. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-'
  const whole = Math.round(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  const two = (value: number) => String(value).padStart(2, '0')
  if (hours > 0) return `${hours}h${two(minutes)}m`
  if (minutes > 0) return `${minutes}m${two(whole % 60)}s`
  return `${whole}s`
}

function round(value: number): number | null {
  return Number.isFinite(value) ? Math.round(value * 10) / 10 : null
}
