import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  RecordSplitter,
  splitFields,
  type RawRecord,
  type SplitOptions,
} from '../../../../src/ingest/source/formats/split-records.ts'

function split(text: string, cuts: readonly number[], options: Partial<SplitOptions> = {}) {
  const bytes = Buffer.from(text)
  const splitter = new RecordSplitter({ offset: 0, maxRowBytes: 1000, ...options })
  const records: RawRecord[] = []
  const at = [0, ...[...cuts].map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b)]
  for (const [index, start] of at.entries()) {
    const end = at[index + 1] ?? bytes.length
    // Copies, as chunks of a stream are, so that a splitter that keeps views is found out.
    records.push(...splitter.push(Uint8Array.from(bytes.subarray(start, end))))
  }
  records.push(...splitter.end())
  return records.map(({ bytes: found, next, ...record }) => ({
    ...record,
    // Inside a line that is given up, it is no further than what has come.
    ...(record.problem === 'too_long' ? {} : { next }),
    text: Buffer.from(found).toString(),
  }))
}

// Dense in what matters: quotes, delimiters, line ends, long and multi-byte text.
const text = fc
  .array(
    fc.constantFrom('"', '""', ',', '\n', '\r\n', '\r', 'a', 'é', '🐕', 'x'.repeat(30), '"a"'),
    {
      maxLength: 40,
    },
  )
  .map((parts) => parts.join(''))
const cuts = fc.array(fc.nat(), { maxLength: 12 })

describe('RecordSplitter', () => {
  it('gives the same lines wherever the chunks end', () => {
    fc.assert(
      fc.property(text, cuts, fc.constantFrom(25, 1000), (input, at, maxRowBytes) => {
        expect(split(input, at, { maxRowBytes })).toEqual(split(input, [], { maxRowBytes }))
      }),
    )
  })

  it('gives the same quoted records wherever the chunks end', () => {
    fc.assert(
      fc.property(text, cuts, fc.constantFrom(25, 1000), (input, at, maxRowBytes) => {
        const options = { quotedBy: 44, maxRowBytes }
        expect(split(input, at, options)).toEqual(split(input, [], options))
      }),
    )
  })

  it('begins again at any record that it gave', () => {
    fc.assert(
      fc.property(text, (input) => {
        const records = split(input, [], { quotedBy: 44 })
        for (const [index, { offset }] of records.entries()) {
          const rest = Buffer.from(input).subarray(offset).toString()
          expect(split(rest, [], { quotedBy: 44, offset })).toEqual(records.slice(index))
        }
      }),
    )
  })

  it('undoes the quoting of any fields', () => {
    const field = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('"', 'a,b', 'a\nb', 'a\r\nb', '', '"a"', ',,', '\r'),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 4 }),
        cuts,
        fc.constantFrom('\n', '\r\n'),
        (rows, at, end) => {
          const quote = (value: string) => `"${value.replaceAll('"', '""')}"`
          const csv = rows.map((row) => row.map(quote).join(',') + end).join('')

          const records = split(csv, at, { quotedBy: 44 })

          expect(records.map((record) => record.problem)).toEqual(rows.map(() => undefined))
          expect(records.map((record) => splitFields(record.text, ',', true))).toEqual(
            rows.map((row) => row.map((value) => Buffer.from(value).toString())),
          )
        },
      ),
    )
  })

  it('holds no more than a row of a line without end', () => {
    const splitter = new RecordSplitter({ offset: 0, maxRowBytes: 1000 })
    const before = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    const chunk = new Uint8Array(2 ** 20).fill(97)

    for (let n = 0; n < 200; n++) splitter.push(chunk)

    const after = process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    expect(after - before).toBeLessThan(50 * 2 ** 20)
  })
})
