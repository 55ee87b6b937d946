import { describe, expect, it } from 'vitest'
import { decodeLz4Frame } from '../../../../src/ingest/source/formats/lz4-frame.ts'

const MAGIC = [0x04, 0x22, 0x4d, 0x18]
const END = [0, 0, 0, 0]

/** A frame of blocks as given, with version 01 and independent blocks. */
function frame(
  blocks: readonly (readonly number[])[],
  { flags = 0x60, extra = [] as number[] } = {},
) {
  return Uint8Array.from([...MAGIC, flags, 0x40, ...extra, 0, ...blocks.flat(), ...END])
}
/** Four bytes of length, the first bit for a block that is stored as it is. */
const block = (bytes: readonly number[], isStored = false) => [
  bytes.length & 255,
  bytes.length >> 8,
  0,
  isStored ? 0x80 : 0,
  ...bytes,
]
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
const codes = (value: string) => [...Buffer.from(value, 'latin1')]

describe('decodeLz4Frame', () => {
  it('copies literals and stored blocks', () => {
    const compressed = block([0x30, ...codes('abc')])

    expect(text(decodeLz4Frame(frame([compressed, block(codes('def'), true)])))).toBe('abcdef')
    expect(decodeLz4Frame(frame([]))).toHaveLength(0)
  })

  it('repeats what came before, over itself and over the border of a block', () => {
    // "ab", then 6 bytes from 2 back, then the literal "c".
    const first = block([0x22, ...codes('ab'), 2, 0, 0x10, ...codes('c')])
    // 4 bytes from 9 back, which is the whole first block, then "d".
    const second = block([0x00, 9, 0, 0x10, ...codes('d')])

    expect(text(decodeLz4Frame(frame([first, second])))).toBe('ababababcababd')
  })

  it('reads lengths that go on in further bytes', () => {
    const literals = codes('x'.repeat(15 + 255 + 3))
    // A match of 15 + 10 + 4 bytes from 1 back.
    const long = block([0xff, 255, 3, ...literals, 1, 0, 10, 0x10, ...codes('y')])

    expect(text(decodeLz4Frame(frame([long])))).toBe(`${'x'.repeat(273 + 29)}y`)
  })

  it('passes over sizes, dictionary ids and checksums', () => {
    const withChecksum = [...block([0x10, ...codes('a')]), 1, 2, 3, 4]
    const extra = [1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9]

    expect(text(decodeLz4Frame(frame([withChecksum], { flags: 0x79, extra })))).toBe('a')
  })

  it.each([
    ['no frame', Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]), 'no LZ4 frame'],
    ['a block that is cut', frame([block([0x10, 97])]).subarray(0, 12), 'LZ4 block that is cut'],
    [
      'a match before its beginning',
      frame([block([0x10, 97, 2, 0, 0x10, 98])]),
      'before its beginning',
    ],
    ['a match of no distance', frame([block([0x10, 97, 0, 0, 0x10, 98])]), 'before its beginning'],
    ['literals behind its end', frame([block([0xf0, 200, 97])]), 'LZ4 frame that is cut'],
    ['no end', frame([]).subarray(0, 8), 'bounds'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => decodeLz4Frame(bytes)).toThrow(RangeError)
    expect(() => decodeLz4Frame(bytes)).toThrow(message)
  })
})
