import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fetchOptionsSchema, type FetchOptions } from '../../../../src/ingest/fetch/options.ts'
import { CERTIFICATE, KEY } from '../../../helpers/certificate.ts'
import {
  codesOf,
  failure,
  open,
  planOf,
  readShard,
  readSource,
  rowsOf,
  type Network,
} from '../../../helpers/sources.ts'
import { makeTar, sampleEntries } from '../../../helpers/tar.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'

const network = (over: Partial<FetchOptions> = {}): Network => ({
  fetch: fetchOptionsSchema.parse({
    allowAddresses: ['127.0.0.1/32'],
    ports: 'any',
    retryBaseMs: 1,
    ...over,
  }),
})

interface FileServer {
  readonly base: string
  /** Paths with their ranges, in order. */
  readonly asked: string[]
  /** Bytes of bodies that were sent or begun. */
  sent(): number
}

type Trouble = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  count: number,
) => boolean

/** A file server with ranges and ETags, as object stores are. */
async function serve(
  files: Readonly<Record<string, Uint8Array>>,
  trouble: Trouble = () => false,
  options: { readonly ranges?: boolean; readonly tls?: boolean } = {},
): Promise<FileServer> {
  const asked: string[] = []
  let sent = 0
  const listener: http.RequestListener = (request, response) => {
    const { url = '' } = request
    const range = request.headers.range ?? ''
    asked.push(`${url} ${range}`)
    if (trouble(request, response, asked.length)) return
    const file = files[url.replace(/\?.*$/, '')]
    if (file === undefined) {
      response.writeHead(404).end('no such file')
      return
    }
    const etag = `"${createHash('sha256').update(file).digest('hex').slice(0, 16)}"`
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
    if (options.ranges === false || range === '') {
      sent += file.length
      response.writeHead(200, { etag, 'content-length': file.length }).end(file)
      return
    }
    const start = Number(from)
    const end = to === '' ? file.length : Math.min(file.length, Number(to) + 1)
    if (start >= file.length) {
      response.writeHead(416, { etag, 'content-range': `bytes */${file.length}` }).end()
      return
    }
    sent += end - start
    const contentRange = `bytes ${start}-${end - 1}/${file.length}`
    response
      .writeHead(206, { etag, 'content-range': contentRange, 'content-length': end - start })
      .end(file.subarray(start, end))
  }
  const server =
    options.tls === true
      ? https.createServer({ key: KEY, cert: CERTIFICATE }, listener)
      : http.createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const base = options.tls === true ? `https://trusted.test:${port}` : `http://127.0.0.1:${port}`
  return { base, asked, sent: () => sent }
}

const lines = (count: number) =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ url: `u${n}`, caption: `c${n}` })).join(
    '\n',
  )

describe('files on a web server', () => {
  it('reads text, plain and packed, as from a disk', async () => {
    const text = Buffer.from(lines(200))
    const server = await serve({ '/a.jsonl': text, '/b.jsonl.gz': gzipSync(text) })
    const files = [`${server.base}/a.jsonl?token=1`, `${server.base}/b.jsonl.gz`]

    const items = await readSource({ files }, [1000, 150], network())

    expect(rowsOf(items).map(({ caption }) => caption)).toEqual(
      [...Array(400).keys()].map((n) => `c${n % 200}`),
    )
  })

  it('begins a shard at its byte, without what is before', async () => {
    const text = Buffer.from(lines(5000))
    const server = await serve({ '/a.jsonl': text })
    const source = await open({ files: `${server.base}/a.jsonl` }, network())
    const last = (await planOf(source, 1000)).at(-1)!
    const before = server.sent()

    const items = await readShard(source, last)
    await source.close()

    expect(rowsOf(items)).toHaveLength(1000)
    expect(server.asked.at(-1)).toMatch(/^\/a\.jsonl bytes=[1-9]\d*-$/)
    expect(server.sent() - before).toBeLessThan(text.length / 4)
  })

  it('reads a Parquet file by ranges, the columns it needs', async () => {
    const parquet = await fs.readFile('sample/captions.parquet')
    const server = await serve({ '/sample/captions.parquet': parquet })
    const config = { columns: { image: 'image', caption: 'caption' } }

    const here = await readSource({ ...config, files: 'sample/captions.parquet' }, [50])
    const there = await readSource(
      { ...config, files: `${server.base}/sample/captions.parquet` },
      [50],
      network(),
    )

    expect(there.map((item) => 'caption' in item && item.caption)).toEqual(
      here.map((item) => 'caption' in item && item.caption),
    )
    // Paths in a file from the web are addresses beside it.
    expect(rowsOf(there).map(({ image }) => image)).toEqual(
      rowsOf(here).map(({ image }) => ({
        kind: 'url',
        url: `${server.base}/${image.kind === 'file' ? image.path : ''}`,
      })),
    )
  })

  it('reads a tar in one pass', async () => {
    const keys = Array.from({ length: 60 }, (_, n) => `k${n}`)
    const tar = makeTar(
      keys.flatMap((key) => [
        { name: `${key}.jpg`, body: Buffer.alloc(50_000, key) },
        { name: `${key}.txt`, body: key },
      ]),
    )
    const server = await serve({ '/a.tar': tar })
    const source = await open({ files: `${server.base}/a.tar` }, network())
    const [shard] = await planOf(source, 1000)
    const [asked, sent] = [server.asked.length, server.sent()]

    const items = rowsOf(await readShard(source, shard!))
    await source.close()

    expect(items.map(({ caption }) => caption)).toEqual(keys)
    expect(items[59]).toMatchObject({ image: { bytes: Buffer.alloc(50_000, 'k59') } })
    expect(server.asked.length - asked).toBe(1)
    expect(server.sent() - sent).toBe(tar.length)
  })

  it('reads over TLS, and counts files up in braces', async () => {
    const server = await serve(
      { '/0.tar': makeTar(sampleEntries('a')), '/1.tar': makeTar(sampleEntries('b')) },
      undefined,
      { tls: true },
    )
    const deps = {
      ca: CERTIFICATE,
      query: async (_: string, family: number) =>
        family === 4 ? [{ address: '127.0.0.1', ttl: 60 }] : [],
    }

    const items = await readSource({ files: `${server.base}/{0..1}.tar` }, [10], {
      ...network({ ipv6: false }),
      deps,
    })

    expect(codesOf(items)).toEqual(['ok', 'ok'])
  })

  it('goes on where a connection broke, and after a busy answer', async () => {
    const text = Buffer.from(lines(3000))
    const server = await serve({ '/a.jsonl': text }, (request, response, count) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1])
      if (count % 3 === 0) {
        response.writeHead(503, { 'retry-after': '0' }).end()
        return true
      }
      if (Number.isNaN(from) || count % 3 === 1) return false
      const rest = text.length - from
      const etag = `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"`
      response.writeHead(206, {
        etag,
        'content-range': `bytes ${from}-${text.length - 1}/${text.length}`,
        'content-length': rest,
      })
      response.write(text.subarray(from, from + Math.ceil(rest / 2)), () => response.destroy())
      return true
    })

    const items = await readSource({ files: `${server.base}/a.jsonl` }, [1000], network())

    expect(rowsOf(items)).toHaveLength(3000)
  })

  it('follows a redirect, as from a hub to its store', async () => {
    const server = await serve({ '/store/a.jsonl': Buffer.from(lines(3)) }, (request, response) => {
      if (request.url?.startsWith('/hub/') !== true) return false
      response.writeHead(302, { location: request.url.replace('hub', 'store') }).end()
      return true
    })

    const items = await readSource({ files: `${server.base}/hub/a.jsonl` }, [10], network())

    expect(rowsOf(items)).toHaveLength(3)
  })

  it('is known by its ETag, size and edges', async () => {
    const files = { '/a.jsonl': Buffer.from(lines(3)) }
    const server = await serve(files)
    const config = { files: `${server.base}/a.jsonl` }
    const before = await open(config, network())
    files['/a.jsonl'] = Buffer.from(lines(3).replace('c1', 'd1'))
    const after = await open(config, network())

    expect(after.identity).not.toEqual(before.identity)
    expect(before.identity).toMatchObject({
      files: [{ path: config.files, size: 83, etag: expect.stringMatching(/^"/) }],
    })
    await after.close()

    // The first reader sees the change and mixes nothing.
    expect(await failure(planOf(before, 10))).toMatch(/^ShardError: .* changed while it was read/)
    await before.close()
  })
})

describe('servers that do not do as hoped', () => {
  it('takes text from a server without ranges, and says that Parquet needs them', async () => {
    const server = await serve(
      { '/a.jsonl': Buffer.from(lines(30)), '/a.parquet': Buffer.from('PAR1') },
      undefined,
      { ranges: false },
    )

    const items = await readSource({ files: `${server.base}/a.jsonl` }, [10], network())

    expect(rowsOf(items)).toHaveLength(30)
    expect(await failure(open({ files: `${server.base}/a.parquet` }, network()))).toMatch(
      /^InputError: .*a\.parquet: the server does not answer range requests; download the file/,
    )
  })

  it('names the file that is not there', async () => {
    const server = await serve({})

    expect(await failure(open({ files: `${server.base}/a.jsonl` }, network()))).toMatch(
      /^InputError: http.*a\.jsonl: HTTP 404$/,
    )
  })

  it('gives up on a server that is down, to be tried again later', async () => {
    const server = await serve({}, (_, response) => {
      response.writeHead(503).end()
      return true
    })

    expect(await failure(open({ files: `${server.base}/a.jsonl` }, network()))).toMatch(
      /^ShardError: cannot read http.*a\.jsonl: HTTP 503$/,
    )
    expect(server.asked).toHaveLength(5)
  })

  it('connects to nothing private, neither at first nor after a redirect', async () => {
    const inside = await serve({ '/a.jsonl': Buffer.from(lines(3)) })
    const outside = await serve({}, (_, response) => {
      const location = inside.base.replace('127.0.0.1', '127.0.0.2')
      response.writeHead(302, { location: `${location}/a.jsonl` }).end()
      return true
    })
    const guarded: Network = { fetch: fetchOptionsSchema.parse({ ports: 'any' }) }

    for (const address of [`${inside.base}/a.jsonl`, 'http://169.254.169.254/latest/a.jsonl']) {
      expect(await failure(open({ files: address }, guarded))).toMatch(
        /^InputError: .*addr_blocked/,
      )
    }
    expect(await failure(open({ files: `${outside.base}/a.jsonl` }, network()))).toMatch(
      /^InputError: .*addr_blocked: 127\.0\.0\.2 is loopback/,
    )
    expect(inside.asked).toEqual([])
  })

  it('refuses other schemes, patterns and addresses that are none', async () => {
    for (const [file, message] of [
      ['gopher://host/a.parquet', /gopher:\/\/ is not available; /],
      ['https://example.org/*.parquet', /a web server cannot be searched; use braces/],
      ['https://[bad/a.parquet', /is no address/],
    ] as const) {
      expect(await failure(open({ files: file })), file).toMatch(message)
    }
  })

  it('cuts a file of which less comes than was said', async () => {
    const tar = makeTar(['a', 'b', 'c'].flatMap((key) => sampleEntries(key)))
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'a.tar'), tar.subarray(0, 2565))
    const server = await serve({ '/a.tar': tar.subarray(0, 2565) })
    const columns = { caption: 'txt' }

    const here = await readSource({ files: path.join(folder, 'a.tar'), columns })
    const there = await readSource({ files: `${server.base}/a.tar`, columns }, undefined, network())

    expect(codesOf(there)).toEqual(codesOf(here))
  })
})
