// What the command prints and refuses; what it does to a run is in test/run/retry-failed.test.ts.

import { describe, expect, it } from 'vitest'
import { runMain } from '../helpers/main.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

describe('groundmill retry-failed', () => {
  it('says that there is nothing to try again, as lines and as JSON', async () => {
    const runDir = await makeRun(await temporaryFolder(), { rows: [makeRow({})] })

    const lines = await runMain('retry-failed', runDir)
    const json = await runMain('retry-failed', runDir, '--json')

    expect(lines).toMatchObject({
      code: 0,
      stdout: 'tried again  0 rows\nrecovered    0\nnew versions 0 shards\n',
    })
    const result: unknown = JSON.parse(json.stdout)
    expect(result).toEqual({ dir: runDir, rows: 0, recovered: 0, shards: [], left: {} })
  })

  it('refuses a folder without a run, and what is no number of workers', async () => {
    const folder = await temporaryFolder()

    expect(await runMain('retry-failed', folder)).toMatchObject({ code: 65, stdout: '' })
    expect(await runMain('retry-failed', folder, '--workers=0')).toMatchObject({ code: 2 })
  })
})
