import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { main } from '../../src/cli.ts'

async function phrases(input: string | Buffer | Readable, ...argv: string[]) {
  const output: string[] = []
  const errors: string[] = []
  const sink = (chunks: string[]) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(chunk.toString())
        done()
      },
    })
  const code = await main(['phrases', ...argv], {
    stdin: input instanceof Readable ? input : Readable.from([Buffer.from(input)]),
    stdout: sink(output),
    stderr: sink(errors),
    signal: new AbortController().signal,
  })
  const lines = output
    .join('')
    .split('\n')
    .filter((line) => line !== '')
  return { code, rows: lines.map((line) => JSON.parse(line) as Row), stderr: errors.join('') }
}

interface Row {
  readonly id?: unknown
  readonly phrases: readonly {
    readonly start: number
    readonly end: number
    readonly text: string
  }[]
  readonly code?: string
  readonly explain?: { readonly words: readonly unknown[] }
}

const jsonLines = (...rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

describe('groundmill phrases', () => {
  it('answers line by line, with spans of the caption as given', async () => {
    const caption = 'Stock photo of Tom&#39;s red bike 😀 and two dogs'
    const { code, rows } = await phrases(
      jsonLines({ id: 7, caption, url: 'x' }, { caption: 'Ein Hund mit einem Ball' }),
      '--threads',
      '1',
    )

    expect(code).toBe(0)
    expect(rows).toEqual([
      {
        id: 7,
        phrases: [
          { start: 15, end: 33, text: 'Tom&#39;s red bike', head: 'bike', lemma: 'bike' },
          { start: 41, end: 49, text: 'two dogs', head: 'dogs', lemma: 'dog' },
        ],
      },
      { phrases: [], code: 'caption_language', detail: 'not English: ein, mit, einem' },
    ])
    for (const { start, end, text } of rows[0]!.phrases) {
      expect(caption.slice(start, end)).toBe(text)
    }
  })

  it('keeps the order over many batches and threads', { tags: 'long' }, async () => {
    const rows = Array.from({ length: 1000 }, (_, id) => ({ id, caption: `a cat ${id} on a sofa` }))
    const result = await phrases(jsonLines(...rows), '--threads', '2')

    expect(result.rows.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
  })

  it('shows everything without a recipe; the recipe decides otherwise', async () => {
    const line = jsonLines({ caption: 'the joy' })

    expect((await phrases(line, '--explain')).rows[0]?.phrases).toHaveLength(1)
    expect((await phrases(line, '--explain', '--set', 'phrases.abstract=drop')).rows[0]?.code).toBe(
      'phrases_none',
    )
    const recipe = await phrases(line, '--explain', '--config', 'configs/demo.yaml')
    expect(recipe.rows[0]?.code).toBe('caption_too_short')
  })

  it('explains', async () => {
    const { rows } = await phrases(jsonLines({ caption: 'A smiling man' }), '--explain')

    expect(rows[0]?.explain).toEqual({
      caption: 'A smiling man',
      cleaned: [],
      words: [
        { text: 'A', tag: 'D', rule: 'lexicon' },
        { text: 'smiling', tag: 'J', rule: 'ing-modifier' },
        { text: 'man', tag: 'N', rule: 'noun-after-modifier' },
      ],
      dropped: [],
    })
  })

  it('takes supplied spans, and looks at them for that extractor alone', async () => {
    const other = jsonLines({ caption: 'a red dog', phrases: ['dog'] })
    expect((await phrases(other, '--explain')).rows[0]?.phrases).toHaveLength(1)

    const line = jsonLines({ caption: 'a red dog', phrases: [{ start: 6, end: 9 }] })
    const { rows } = await phrases(line, '--explain', '--set', 'phrases.extractor=supplied')

    expect(rows[0]?.phrases).toMatchObject([{ text: 'dog' }])
  })

  it.each([
    ['{"id": 1', 'line 3: is not JSON', ['--threads', '1']],
    ['{"text": "a dog"}', 'line 3: "caption": ', ['--threads', '1']],
    ['["a dog"]', 'line 3: ', ['--explain']],
    [Buffer.from([0x22, 0xff, 0x22]), 'line 3: is not UTF-8', ['--explain']],
  ])('stops at a bad line, named, after the results before it: %s', async (bad, message, flags) => {
    const good = `{"caption": "a dog"}\n\n`
    const input = Buffer.concat([Buffer.from(good), Buffer.from(bad), Buffer.from(`\n${good}`)])

    const { code, rows, stderr } = await phrases(input, ...flags)

    expect(code).toBe(65)
    expect(stderr).toContain(message)
    expect(rows).toHaveLength(1)
  })

  it('reads a last line without its newline, and nothing at all', async () => {
    expect((await phrases('{"caption": "a dog"}', '--explain')).rows).toHaveLength(1)
    expect(await phrases('')).toMatchObject({ code: 0, rows: [] })
  })

  it('names a key that does not exist', async () => {
    const { code, stderr } = await phrases('', '--set', 'phrases.off=split')

    expect(code).toBe(2)
    expect(stderr).toContain('phrases.off: unknown key')
  })

  it('answers while the input is open, and reads no further than its reader', async () => {
    const input = new PassThrough()
    const line = Buffer.from(jsonLines({ caption: 'a dog on a sofa' }))
    let stuck: (() => void) | undefined
    const stdout = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        stuck = done
        this.emit('written')
      },
    })
    const controller = new AbortController()
    const ended = main(['phrases', '--threads', '1'], {
      stdin: input,
      stdout,
      stderr: new PassThrough(),
      signal: controller.signal,
    })

    input.write(line)
    await once(stdout, 'written')
    let pushed = 0
    while (input.write(line) && pushed < 5_000) {
      pushed++
      await new Promise((resolve) => setImmediate(resolve))
    }

    expect(pushed).toBeLessThan(5_000)
    controller.abort(new Error('enough'))
    stuck?.()
    expect(await ended).not.toBe(0)
  })
})
