import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { openAllowList } from '../../../src/ingest/source/allow-list.ts'
import { findPython } from '../../helpers/python.ts'
import { codesOf, failure, open, readSource } from '../../helpers/sources.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const never = new AbortController().signal
const python = findPython('numpy')

/** 32 hex digits; some share their first half, and halves lie above 2^63. */
const uids = Array.from({ length: 3000 }, (_, n) => {
  const digits = createHash('md5').update(String(n)).digest('hex')
  return n % 10 === 0 ? `${'f'.repeat(16)}${digits.slice(16)}` : digits
})

/** An .npy as numpy.save writes it. */
function npy(
  ids: readonly string[],
  descr = "[('f0', '<u8'), ('f1', '<u8')]",
  shape = `(${ids.length},)`,
) {
  const text = `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`
  const header = Buffer.from(`${text.padEnd(117)}\n`)
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  const body = Buffer.alloc(16 * ids.length)
  for (const [index, id] of ids.entries()) {
    body.writeBigUInt64LE(BigInt(`0x${id.slice(0, 16)}`), 16 * index)
    body.writeBigUInt64LE(BigInt(`0x${id.slice(16)}`), 16 * index + 8)
  }
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, header, body])
}

async function fileOf(name: string, content: Uint8Array | string): Promise<string> {
  const file = path.join(await temporaryFolder(), name)
  await fs.writeFile(file, content)
  return file
}

async function found(files: readonly string[], values: readonly string[]): Promise<boolean[]> {
  const list = await openAllowList(files, never)
  const answers: boolean[] = []
  for (const value of values) answers.push(await list.has(value))
  await list.close()
  return answers
}

describe('openAllowList', () => {
  it.each([0, 1, 255, 256, 257, 3000])(
    'finds each of %d sorted ids and no other',
    async (count) => {
      const listed = uids.slice(0, count).sort()
      const file = await fileOf('subset.npy', npy(listed))

      const has = await found([file], uids)

      expect(has).toEqual(uids.map((_, index) => index < count))
      expect(await found([file], ['', 'x', 'f'.repeat(33), listed[0]?.slice(1) ?? ''])).toEqual(
        Array<boolean>(4).fill(false),
      )
    },
  )

  it.skipIf(python === undefined)('reads what numpy writes', async () => {
    const file = path.join(await temporaryFolder(), 'subset.npy')
    const script = `import sys, numpy as np
ids = np.array([(int(u[:16], 16), int(u[16:], 16)) for u in sys.stdin.read().split()], np.dtype("u8,u8"))
ids.sort()
np.save(sys.argv[1], ids)`
    const running = promisify(execFile)(python!, ['-c', script, file])
    running.child.stdin!.end(uids.slice(0, 1000).join('\n'))
    await running

    expect(await found([file], uids)).toEqual(uids.map((_, index) => index < 1000))
  })

  it('reads text, one value a line, and takes several lists together', async () => {
    const text = await fileOf('ids.txt', '# chosen by hand\nseven\r\n\n  8  \n')
    const ids = await fileOf('subset.npy', npy([uids[3]!]))

    const values = ['seven', '8', '# chosen by hand', '', uids[3]!, uids[4]!]
    expect(await found([text, ids], values)).toEqual([true, true, false, false, true, false])
  })

  it('says what is wrong with a file', async () => {
    const [a, b] = uids.slice(1, 3).sort() as [string, string]
    const cases: (readonly [Uint8Array, RegExp])[] = [
      [Buffer.from('no npy at all'), /subset\.npy: no \.npy file$/],
      [Buffer.from('\x93NUM', 'latin1'), /ends at byte 4$/],
      [npy([b, a]), /not sorted: id 1 is below the one before$/],
      [npy([a, b]).subarray(0, -1), /2 ids end at byte 160; the file has 159 bytes$/],
      [npy([a], "'<f8'"), /no list of ids \(dtype "u8,u8"\) but \{'descr': '<f8'/],
    ]
    for (const [content, message] of cases) {
      const text = await failure(openAllowList([await fileOf('subset.npy', content)], never))
      expect(text).toMatch(/^ConfigError: source\.allowList\.files: /)
      expect(text).toMatch(message)
    }
    expect(await failure(openAllowList(['/no/such.txt'], never))).toMatch(/such\.txt: ENOENT/)
  })
})

describe('source.allowList', () => {
  const lines = uids
    .slice(0, 6)
    .map((uid) => JSON.stringify({ uid, url: `https://e.org/${uid}`, text: 'a dog' }))

  it('rejects rows that are not listed, wherever shards begin', async () => {
    const files = await fileOf('rows.jsonl', `${lines.join('\n')}\n{"url": "u", "text": "a cat"}\n`)
    const list = await fileOf('subset.npy', npy([uids[1]!, uids[4]!].sort()))

    const items = await readSource({
      preset: 'datacomp',
      type: 'jsonl',
      files,
      allowList: { column: 'uid', files: list },
    })

    const not = 'not_listed'
    expect(codesOf(items)).toEqual([not, 'ok', not, not, 'ok', not, not])
    expect(items[0]).toMatchObject({ detail: `uid ${uids[0]}` })
    expect(items[6]).toMatchObject({ detail: 'nothing in column uid' })
  })

  it('belongs to the identity of the source by what the list says', async () => {
    const files = await fileOf('rows.tsv', 'id\turl\tcaption\n7\tu\ta dog\n')
    const identityWith = async (content: string) => {
      const list = await fileOf('list.txt', content)
      const source = await open({ files, allowList: { column: 'id', files: list } })
      await source.close()
      return source.identity
    }

    const before = await identityWith('7\n')
    expect(await identityWith('7\n')).toEqual(before)
    expect(await identityWith('8\n')).not.toEqual(before)
    const list = await fileOf('list.txt', '7')
    expect(await failure(open({ files, allowList: { column: 'uid', files: list } }))).toMatch(
      /^ConfigError: source\.allowList\.column: .* has no column "uid", but id, url, caption/,
    )
  })
})
