import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/core/errors.ts'
import { parseHashList, parseUrlList } from '../../../src/ingest/fetch/blocklist.ts'

const blocks = (text: string, url: string) => parseUrlList('urls.txt', text).has(new URL(url))

describe('parseUrlList', () => {
  it.each([
    ['example.com', 'https://example.com/a.jpg', true],
    ['example.com', 'http://img.cdn.example.com:8080/a.jpg', true],
    ['example.com', 'https://notexample.com/', false],
    ['example.com', 'https://example.com.evil.test/', false],
    ['img.example.com', 'https://example.com/', false],
    // As browsers write them.
    ['EXAMPLE.com', 'https://example.COM/', true],
    ['bücher.example', 'https://xn--bcher-kva.example/', true],
    ['127.1', 'http://127.0.0.1/', true],
    ['[::1]', 'http://[0:0::1]:8080/', true],
    // The dot that ends a full name, on either side.
    ['example.com', 'https://example.com./', true],
    ['example.com.', 'https://img.example.com/', true],
    ['https://example.com/a', 'https://example.com.:8443/a', false],
    ['https://example.com./a', 'https://example.com/a', true],
    ['https://example.com:8443/a', 'https://example.com.:8443/a', true],
    // Beginnings of URLs.
    ['https://example.com/ads/', 'http://example.com/ads/1.jpg', true],
    ['https://example.com/ads/', 'https://example.com/adverts/1.jpg', false],
    ['https://example.com/ads/', 'https://img.example.com/ads/1.jpg', false],
    ['http://example.com/?id=3', 'https://example.com/?id=31', true],
    ['http://example.com/A', 'http://example.com/a', false],
  ])('%s and %s: %s', (entry, url, expected) => {
    expect(blocks(entry, url)).toBe(expected)
  })

  it('takes several entries, comments, empty lines and those of other systems', () => {
    const text =
      '\ufeff# ours\r\n\r\n  a.test  \r\nhttp://b.test/x\nhttp://b.test/y\n  # http://c.test/\n'

    expect(
      ['http://a.test/', 'http://b.test/x1', 'http://b.test/y1', 'http://c.test/'].map((url) =>
        blocks(text, url),
      ),
    ).toEqual([true, true, true, false])
    expect(blocks('', 'http://a.test/')).toBe(false)
  })

  it.each([
    'example.com/ads',
    'example.com:8080',
    'ftp://example.com/',
    'user@example.com',
    'two words',
    'https://',
    '.example.com',
    '*.example.com',
    'https://*.example.com/',
    'example..com',
  ])('refuses %j, which would block nothing', (entry) => {
    const parse = () => parseUrlList('urls.txt', `# ours\na.test\n${entry}\n`)

    expect(parse).toThrow(ConfigError)
    expect(parse).toThrow(
      `urls.txt, line 3: "${entry}" is neither a host name nor the beginning of a URL`,
    )
  })
})

describe('parseHashList', () => {
  const image = Buffer.from('an image')
  const hex = (algorithm: string) => createHash(algorithm).update(image).digest('hex')

  it.each(['md5', 'sha1', 'sha256'])('finds an image by its %s, in either case', (algorithm) => {
    for (const entry of [hex(algorithm), hex(algorithm).toUpperCase()]) {
      const list = parseHashList('hashes.txt', `# ours\n\n${'0'.repeat(64)}\r\n${entry}\r\n`)

      expect(list.name).toBe('hashes.txt')
      expect(list.has(image)).toBe(true)
      expect(list.has(Buffer.from('another'))).toBe(false)
    }
  })

  it('has nothing if it is empty', () => {
    expect(parseHashList('hashes.txt', '\n').has(image)).toBe(false)
  })

  it.each(['0'.repeat(63), 'g'.repeat(32), `${'0'.repeat(32)}  a.jpg`, '0x00'])(
    'refuses %j',
    (entry) => {
      const parse = () => parseHashList('hashes.txt', `\n${entry}`)

      expect(parse).toThrow(ConfigError)
      expect(parse).toThrow(`hashes.txt, line 2: "${entry}" is no hex md5, sha1 or sha256`)
    },
  )
})
