import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readJsonLines, writeJsonLines, type JsonLine } from '../../src/commands/json-lines.ts'
import { collectAll, failure } from '../helpers/sources.ts'

const read = (chunks: readonly (string | Buffer)[], maxGroup = 10) =>
  collectAll(readJsonLines(Readable.from(chunks), maxGroup))

describe('readJsonLines', () => {
  it('gives what came together together, in groups up to a size', async () => {
    expect(await read(['1\n2\n3\n', '4\n5'], 2)).toEqual([
      [
        { line: 1, value: 1 },
        { line: 2, value: 2 },
      ],
      [{ line: 3, value: 3 }],
      [{ line: 4, value: 4 }],
      [{ line: 5, value: 5 }],
    ])
  })

  it('counts lines of nothing but space, and gives none', async () => {
    expect(await read(['\n  \n"a"\r\n\n'])).toEqual([[{ line: 3, value: 'a' }]])
    expect(await read([])).toEqual([])
  })

  it('joins a character that was cut', async () => {
    const bytes = Buffer.from('"🐕"\n')

    expect(await read([bytes.subarray(0, 3), bytes.subarray(3)])).toEqual([
      [{ line: 1, value: '🐕' }],
    ])
  })

  it.each([
    [['1\n{\n'], /^InputError: line 2: is not JSON: /],
    [['1\n', Buffer.from([0xff])], /^InputError: line 2: is not UTF-8$/],
    [['1\n', 'x'.repeat(2 ** 24 + 1)], /^InputError: line 2: longer than 16777216 bytes$/],
  ])('gives the lines before one that is wrong', async (chunks, message) => {
    const got: JsonLine[] = []
    const all = async () => {
      for await (const group of readJsonLines(Readable.from(chunks), 10)) got.push(...group)
    }

    expect(await failure(all())).toMatch(message)
    expect(got).toEqual([{ line: 1, value: 1 }])
  })
})

describe('writeJsonLines', () => {
  const { signal } = new AbortController()

  it('writes one value per line', async () => {
    const output = new PassThrough()

    await writeJsonLines({ stdout: output, signal }, [1, { a: '\n' }])
    await writeJsonLines({ stdout: output, signal }, [])

    expect(String(output.read())).toBe('1\n{"a":"\\n"}\n')
  })

  it('waits for a slow reader, until the signal', async () => {
    const output = new PassThrough({ highWaterMark: 1 })
    const stop = new AbortController()
    let isDone = false
    const writing = writeJsonLines({ stdout: output, signal }, ['long']).then(() => (isDone = true))

    await new Promise((resolve) => setImmediate(resolve))
    expect(isDone).toBe(false)
    output.read()
    await writing

    const stuck = failure(writeJsonLines({ stdout: output, signal: stop.signal }, ['again']))
    stop.abort()
    expect(await stuck).toMatch(/^AbortError/)
  })
})
