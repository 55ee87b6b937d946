import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openRowGate } from '../../../src/ingest/source/row-gate.ts'
import { failure } from '../../helpers/sources.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const { signal } = new AbortController()

describe('openRowGate', () => {
  it('is none without a list', async () => {
    expect(await openRowGate(undefined, signal)).toBeUndefined()
  })

  it('lets rows pass whose value is listed, whatever its type', async () => {
    const file = path.join(await temporaryFolder(), 'list.txt')
    await fs.writeFile(file, '# wanted\n17\n  cat \n\n')
    const gate = (await openRowGate({ column: 'a.id', files: [file] }, signal))!

    for (const id of [17, 17n, '17', 'cat', Buffer.from('cat')]) {
      expect(await gate.check({ a: { id } })).toBeUndefined()
    }
    expect(await gate.check({ a: { id: 'dog' } })).toEqual({
      code: 'not_listed',
      detail: 'a.id dog',
    })
    expect(await gate.check({ a: {} })).toEqual({
      code: 'not_listed',
      detail: 'nothing in column a.id',
    })
    await gate.close()
  })

  it('names the column and the lists by what they say, not by where they lie', async () => {
    const folder = await temporaryFolder()
    const names = ['a.txt', 'b.txt'].map((name) => path.join(folder, name))
    for (const name of names) await fs.writeFile(name, 'x\ny\n')

    const [a, b] = await Promise.all(
      names.map(async (file) => (await openRowGate({ column: 'id', files: [file] }, signal))!),
    )

    expect(a!.identity).toEqual(b!.identity)
    expect(a!.identity).toEqual({
      allowList: {
        column: 'id',
        files: [
          {
            // sha256sum of "x\ny\n"
            sha256: '09834d488008f5f1ef589a2d7cedc52425bee9dd23b2212e4c1d673c5cbb54e4',
            entries: 2,
          },
        ],
      },
    })
  })

  it('says which list cannot be read', async () => {
    const missing = openRowGate({ column: 'id', files: ['/nowhere/list.txt'] }, signal)

    expect(await failure(missing)).toMatch(
      /^ConfigError: source\.allowList\.files: \/nowhere\/list\.txt: ENOENT/,
    )
  })
})
