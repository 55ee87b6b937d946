// Run folders of released versions give the training files that those versions gave.

import { readdirSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VERSION } from '../../src/version.ts'
import { exportTo, filesOf, readJson } from '../helpers/exports.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const RUNS = 'test/fixtures/runs'

const recordSchema = z.looseObject({
  format: z.string(),
  dialect: z.string().optional(),
  recipe: z.object({ filter: z.json(), balance: z.json(), export: z.record(z.string(), z.json()) }),
  counts: z.json(),
  provenance: z.looseObject({ runId: z.string() }),
})

describe.each(readdirSync(RUNS))('the run of %s', (release) => {
  const root = path.join(RUNS, release)

  it.each(readdirSync(path.join(root, 'export')))('gives the same %s', async (name) => {
    const before = path.join(root, 'export', name)
    const record = recordSchema.parse(await readJson(before, 'export.json'))
    const { format, dialect, recipe } = record
    const to = path.join(await temporaryFolder(), name)

    await exportTo(path.join(root, 'run'), to, {
      ...{ format, filter: recipe.filter, balance: recipe.balance, options: recipe.export },
      ...(dialect === undefined ? {} : { dialect }),
    })

    const files = await filesOf(before)
    expect(files.length).toBeGreaterThan(2)
    for (const file of files.filter((one) => one !== 'export.json')) {
      const text = await fs.readFile(path.join(to, file), 'utf8')
      const then = text.replace(`"version":"${VERSION}"`, `"version":"${release}"`)
      expect(then).toBe(await fs.readFile(path.join(before, file), 'utf8'))
    }
    const now = recordSchema.parse(await readJson(to, 'export.json'))
    const { counts, provenance } = record
    expect(now).toMatchObject({
      ...{ format, recipe, counts },
      provenance: { ...provenance, groundmill: VERSION },
    })
  })
})
