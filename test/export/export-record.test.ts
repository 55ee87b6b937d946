import { describe, expect, it } from 'vitest'
import { exportRecord, type ExportSummary } from '../../src/export/export-record.ts'
import { exportSectionSchema } from '../../src/export/formats/index.ts'
import { balanceOptionsSchema, filterOptionsSchema } from '../../src/filter/options.ts'
import type { RunManifest } from '../../src/store/run-manifest.ts'
import { VERSION } from '../../src/version.ts'
import { formatCalled } from '../helpers/exports.ts'

const manifest: RunManifest = {
  formatVersion: 1,
  runId: '0123456789abcdef',
  config: { run: { phraseThreads: 3 } },
  identity: { config: { caption: { lang: 'en' } }, source: { rows: 9 }, teacher: {} },
  plan: { shards: 2, rows: 9 },
  teacher: { id: 'toy', sha256: 'ab', defaultScore: 0.35 },
  versions: { node: '1' },
}
const summary: ExportSummary = {
  counts: {
    rows: 9,
    samples: 8,
    phrases: 12,
    regions: 20,
    categories: 3,
    candidates: 30,
    droppedSamples: {},
    droppedCandidates: {},
  },
  shards: { committed: 2, planned: 2 },
  files: { 'annotations.jsonl': { size: 3, sha256: 'cd' } },
}

interface Spec extends Partial<ExportSummary> {
  readonly format?: string
  readonly dialect?: string
  readonly filter?: object
}

function recordOf({ format = 'odvg', dialect, filter = {}, ...over }: Spec = {}) {
  const options = exportSectionSchema.parse({ boxSupervision: false })
  const chosen = formatCalled(format)
  const request = {
    runDir: '/runs/a',
    to: '/exports/a',
    overwrite: true,
    format: chosen,
    dialect,
    filter: filterOptionsSchema.parse(filter),
    balance: balanceOptionsSchema.parse({}),
    options,
  }
  const own = chosen.configure(options).options
  return exportRecord({ request, options: own, manifest }, { ...summary, ...over })
}

describe('exportRecord', () => {
  it('says what an export holds and how it came to be', () => {
    expect(recordOf()).toEqual({
      formatVersion: 1,
      format: 'odvg',
      dialect: 'mmdet',
      isComplete: true,
      minScore: 0.35,
      boxSupervision: false,
      recipe: {
        filter: filterOptionsSchema.parse({}),
        balance: { minCount: 1, seed: 0 },
        export: exportSectionSchema.parse({ boxSupervision: false }),
      },
      counts: summary.counts,
      files: summary.files,
      provenance: {
        groundmill: VERSION,
        runId: '0123456789abcdef',
        shards: { committed: 2, planned: 2 },
        teacher: manifest.teacher,
        source: { rows: 9 },
        labelling: { caption: { lang: 'en' } },
      },
    })
  })

  it('does not depend on where the run and the export lie', () => {
    expect(JSON.stringify(recordOf())).not.toMatch(/runs\/a|exports\/a|overwrite/)
  })

  it('has the score that was asked for, even 0, before that of the teacher', () => {
    expect(recordOf({ filter: { score: 0.5 } })).toMatchObject({ minScore: 0.5 })
    expect(recordOf({ filter: { score: 0 } })).toMatchObject({ minScore: 0 })
  })

  it('is not complete while the run is not', () => {
    const shards = { committed: 1, planned: 2 }

    expect(recordOf({ shards })).toMatchObject({ isComplete: false, provenance: { shards } })
  })

  it('has a dialect only where the format has some', () => {
    expect(recordOf({ dialect: 'tao' })).toMatchObject({ format: 'odvg', dialect: 'tao' })
    expect(recordOf({ format: 'jsonl' })).not.toHaveProperty('dialect')
  })
})
