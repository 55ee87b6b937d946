import { describe, expect, it } from 'vitest'
import { formatSummary } from '../../src/run/format-summary.ts'
import { summarize } from '../../src/run/summary.ts'
import { makeCommit, makeManifest } from '../helpers/commits.ts'

const counts = { groundings: 6, rejects: 4, phrases: 12, candidates: 24, droppedPhrases: 0 }

describe('formatSummary', () => {
  it('has a line for each total, with shares of the rows that are committed', () => {
    const manifest = makeManifest({ plan: { shards: 3, rows: 30 } })
    const reasons = { caption_empty: 3, dns_timeout: 1 }
    const commits = [0, 1].map((shard) => makeCommit({ shard, counts, reasons }))

    expect(formatSummary('some/run', summarize(manifest, commits))).toBe(
      [
        'run         some/run (run)',
        'shards      2 of 3 committed',
        'rows        20 of 30',
        'groundings  12 (60.0 %)',
        'rejects     8 (40.0 %)',
        'phrases     24',
        'candidates  48',
        'rate        20.0 rows/s, 1s left',
        'lost at     caption 6, fetch 2',
        'rejects by reason',
        '  caption_empty                 6  (caption)',
        '  dns_timeout                   2  (fetch, may succeed later)',
        '',
      ].join('\n'),
    )
  })

  it('has no share of nothing, and no line about losses where nothing is lost', () => {
    const text = formatSummary('run', summarize(makeManifest(), []))

    expect(text).toContain('\ngroundings  0\nrejects     0\n')
    expect(text).toMatch(/rate {8}0\.0 rows\/s\n$/)
  })

  it('tells phrases that no prompt could hold', () => {
    const commit = makeCommit({ counts: { ...makeCommit().counts, droppedPhrases: 3 } })

    expect(formatSummary('run', summarize(makeManifest(), [commit]))).toContain(
      'phrases     10, 3 of them in no prompt\n',
    )
  })

  it('tells the versions that labelled the shards if there are several', () => {
    const { stats } = makeCommit()
    const by = (shard: number, version: string) =>
      makeCommit({ shard, stats: { ...stats, version } })
    const manifest = makeManifest({ plan: { shards: 9, rows: 90 } })
    const text = (...commits: ReturnType<typeof by>[]) =>
      formatSummary('run', summarize(manifest, commits))

    expect(text(by(0, '0.10.0'), by(1, '0.9.0'), by(2, '0.10.0'))).toContain(
      '\nversions    0.9.0 (1 shard), 0.10.0 (2 shards)\n',
    )
    expect(text(by(0, '0.9.0'), by(1, '0.9.0'))).not.toContain('versions')
  })
})
