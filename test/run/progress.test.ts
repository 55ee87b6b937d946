import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createProgress, formatSeconds } from '../../src/run/progress.ts'
import { collector } from '../helpers/collector.ts'

function terminal(isTTY: boolean) {
  const { stream, text } = collector()
  const stderr = Object.assign(stream, { isTTY, columns: 120, cursorTo: () => true })
  return { stderr, text }
}

describe('createProgress', () => {
  it('writes JSON lines where there is no terminal', () => {
    const { stderr, text } = terminal(false)

    const progress = createProgress(stderr, 'auto')
    progress.note('planning shards')
    progress.begin(10, 4)
    for (let row = 0; row < 6; row++) progress.advance()
    progress.warn('shard 3 failed', { shard: 3 })
    progress.end()

    const lines = text().trim().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(entries).toMatchObject([
      { level: 30, msg: 'planning shards' },
      { level: 40, msg: 'shard 3 failed', shard: 3 },
      { level: 30, msg: 'progress', rows: 10, total: 10 },
    ])
    expect(entries[2]).toHaveProperty('rowsPerSecond')
    expect(entries[2]).toHaveProperty('etaSeconds')
  })

  it('reports every ten seconds at the pace of the last minute', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    const { stderr, text } = terminal(false)

    const progress = createProgress(stderr, 'json')
    progress.begin(10_000, 1000)
    for (let second = 0; second < 180; second++) {
      vi.advanceTimersByTime(1000)
      progress.advance(second < 100 ? 1 : 20)
    }
    progress.advance(-20) // a shard that failed
    progress.end()
    vi.advanceTimersByTime(60_000)

    const reports = text().trim().split('\n')
    const entries = reports.map((line) => JSON.parse(line) as Record<string, number>)
    expect(entries).toHaveLength(19)
    expect(entries[0]).toMatchObject({ rows: 1009, total: 10_000 })
    expect(entries[8]!['rowsPerSecond']).toBeCloseTo(1, 0)
    expect(entries[17]!['rowsPerSecond']).toBeCloseTo(20, 0)
    expect(entries[17]!['etaSeconds']).toBeCloseTo((10_000 - entries[17]!['rows']!) / 20, -1)
    expect(entries[18]).toMatchObject({ rows: 2680 })
  })

  it('draws a bar with rate and time left on a terminal', () => {
    const { stderr, text } = terminal(true)

    const progress = createProgress(stderr, 'auto')
    progress.note('a line before')
    progress.begin(4, 1)
    progress.advance()
    progress.note('a line the bar has not drawn yet')
    progress.end()

    const drawn = text()
    expect(drawn).toContain('a line before\n')
    expect(drawn).toContain('a line the bar has not drawn yet\n')
    expect(drawn).toMatch(/50% \| 2\/4 rows \| [\d.]+ rows\/s \| .* left/)
  })

  it('writes JSON lines on a terminal if asked to', () => {
    const { stderr, text } = terminal(true)

    const progress = createProgress(stderr, 'json')
    progress.note('hello')
    progress.end()

    expect(JSON.parse(text())).toMatchObject({ msg: 'hello' })
  })
})

describe('formatSeconds', () => {
  it.each([
    [0.4, '0s'],
    [59.6, '1m00s'],
    [200, '3m20s'],
    [7500, '2h05m'],
    [Infinity, '-'],
    [NaN, '-'],
  ])('of %d is %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text)
  })
})
