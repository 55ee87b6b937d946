import { expect, it } from 'vitest'
import { decodeUtf8 } from '../../../src/ingest/source/utf8.ts'

it('decodes UTF-8 as it stands, and nothing else', () => {
  expect(decodeUtf8(Buffer.from('é🐕'))).toBe('é🐕')
  expect(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 97))).toBe('\ufeffa')
  expect(decodeUtf8(new Uint8Array(0))).toBe('')
  // Latin-1, a surrogate, and a sequence that is cut.
  for (const bytes of [[0xe9], [0xed, 0xa0, 0x80], [0xf0, 0x9f]]) {
    expect(decodeUtf8(Uint8Array.from(bytes))).toBeUndefined()
  }
})
