// Servers that break rules: each way has its code, within the limits, and nothing private is asked.

import fs from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import zlib from 'node:zlib'
import sharp from 'sharp'
import { beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { CERTIFICATE, KEY } from '../../helpers/certificate.ts'
import { startDnsServer } from '../../helpers/dns-server.ts'
import { startGroundmill } from '../../helpers/groundmill.ts'
import {
  drip,
  endless,
  head,
  inTurn,
  raw,
  rawThenClose,
  redirect,
  respond,
  startHostileServer,
  type Answer,
  type HostileServer,
} from '../../helpers/hostile-server.ts'
import { makeLoader, outcomeOf } from '../../helpers/image-loader.ts'
import { makeJpeg } from '../../helpers/images.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'
import { makeWebDataset } from '../../helpers/toy-web.ts'

const LONG = { tags: 'long' }

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

let jpeg: Buffer
beforeAll(async () => {
  jpeg = await makeJpeg({ width: 64, height: 48 })
})

async function serve(answers: Readonly<Record<string, Answer>>): Promise<HostileServer> {
  const server = await startHostileServer(answers)
  onTestFinished(() => server.close())
  return server
}

const ok = (): Answer => respond(200, { 'content-type': 'image/jpeg' }, jpeg)
const OK_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\n'
const framed = (text: string, body: string | Uint8Array = jpeg) =>
  Buffer.concat([Buffer.from(`${OK_HEAD}${text}\r\n`), Buffer.from(body)])

// Built when a test runs, because they need the image. The number is that of requests expected.
const CASES: Readonly<Record<string, readonly [string, number, () => Answer]>> = {
  // framing
  'a well-formed answer': ['ok', 1, ok],
  'a body without length, ended by the connection': ['ok', 1, () => rawThenClose(framed(''))],
  'early hints before the answer': [
    'ok',
    1,
    () =>
      raw(
        Buffer.concat([
          Buffer.from('HTTP/1.1 103 Early\r\n\r\n'),
          framed(`content-length: ${jpeg.length}\r\n`),
        ]),
      ),
  ],
  'a length larger than the body': [
    'body_truncated',
    3,
    () => rawThenClose(framed(`content-length: ${jpeg.length + 10}\r\n`)),
  ],
  'a length smaller than the body': [
    'decode_truncated',
    1,
    () => rawThenClose(framed(`content-length: ${jpeg.length >> 1}\r\n`)),
  ],
  'two lengths': [
    'http_invalid',
    1,
    () => raw(framed(`content-length: ${jpeg.length}\r\ncontent-length: 5\r\n`)),
  ],
  'a length beside chunks': [
    'http_invalid',
    1,
    () =>
      raw(framed('content-length: 5\r\ntransfer-encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n')),
  ],
  'a negative length': ['http_invalid', 1, () => raw(framed('content-length: -5\r\n'))],
  'a length of words': ['http_invalid', 1, () => raw(framed('content-length: many\r\n'))],
  'broken chunks': [
    'http_invalid',
    1,
    () => rawThenClose(framed('transfer-encoding: chunked\r\n', 'zz\r\nhello\r\n')),
  ],
  'chunks that end early': [
    'body_truncated',
    3,
    () => rawThenClose(framed('transfer-encoding: chunked\r\n', '5\r\nhello\r\n')),
  ],
  'something that is not HTTP': ['http_invalid', 1, () => rawThenClose('SSH-2.0-OpenSSH_9.2\r\n')],
  'a switch of protocol': [
    'connect_reset',
    3,
    () => raw('HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
  ],
  'an end before the answer': ['connect_reset', 3, () => (socket) => socket.destroy()],
  'a reset before the answer': ['connect_reset', 3, () => (socket) => socket.resetAndDestroy()],
  'an end inside the headers': ['connect_reset', 3, () => rawThenClose(OK_HEAD)],
  // headers
  'a header of 20 kB': ['http_invalid', 1, () => respond(200, { 'x-big': 'x'.repeat(20_000) })],
  'a flood of headers': [
    'http_invalid',
    1,
    () => raw(`${OK_HEAD}${Array.from({ length: 5000 }, (_, i) => `x${i}: y\r\n`).join('')}\r\n`),
  ],
  'headers without end': [
    'http_invalid',
    1,
    () => endless(OK_HEAD, Buffer.from('x-more: 1\r\n'.repeat(100))),
  ],
  // sizes
  'a length above the limit': [
    'body_too_large',
    1,
    () => raw(framed('content-length: 99999999999\r\n')),
  ],
  'a body without end': [
    'body_too_large',
    1,
    () => endless(`${OK_HEAD}\r\n`, Buffer.concat([jpeg, Buffer.alloc(65_536)])),
  ],
  'chunks without end': [
    'body_too_large',
    1,
    () => {
      const chunk = Buffer.concat([jpeg, Buffer.alloc(65_536 - jpeg.length)])
      return endless(
        `${OK_HEAD}transfer-encoding: chunked\r\n\r\n`,
        Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]),
      )
    },
  ],
  'no body at all': ['body_empty', 1, () => respond(200, {})],
  'status 204': ['body_empty', 1, () => raw('HTTP/1.1 204 No Content\r\n\r\n')],
  // encodings nobody asked for
  'a gzip body': ['ok', 1, () => respond(200, { 'content-encoding': 'gzip' }, zlib.gzipSync(jpeg))],
  'a brotli body': [
    'ok',
    1,
    () => respond(200, { 'content-encoding': 'br' }, zlib.brotliCompressSync(jpeg)),
  ],
  'a gzip bomb': [
    'body_too_large',
    1,
    () => respond(200, { 'content-encoding': 'gzip' }, zlib.gzipSync(Buffer.alloc(50_000_000))),
  ],
  'a deflate bomb': [
    'body_too_large',
    1,
    () =>
      respond(200, { 'content-encoding': 'deflate' }, zlib.deflateSync(Buffer.alloc(50_000_000))),
  ],
  'a brotli bomb': [
    'body_too_large',
    1,
    () =>
      respond(
        200,
        { 'content-encoding': 'br' },
        zlib.brotliCompressSync(Buffer.alloc(50_000_000), {
          params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 },
        }),
      ),
  ],
  'a gzip body cut short': [
    'body_encoding',
    1,
    () => respond(200, { 'content-encoding': 'gzip' }, zlib.gzipSync(jpeg).subarray(0, 300)),
  ],
  'a broken gzip body': [
    'body_encoding',
    1,
    () => respond(200, { 'content-encoding': 'gzip' }, jpeg),
  ],
  'gzip twice': [
    'body_encoding',
    1,
    () => respond(200, { 'content-encoding': 'gzip, gzip' }, zlib.gzipSync(zlib.gzipSync(jpeg))),
  ],
  'an unknown encoding': [
    'body_encoding',
    1,
    () => respond(200, { 'content-encoding': 'x' }, jpeg),
  ],
  // status
  'status 404': ['http_4xx', 1, () => respond(404, {}, 'gone')],
  'status 403 with an endless page': [
    'http_4xx',
    1,
    () => endless(head(403, {}), Buffer.alloc(9999)),
  ],
  'status 408': ['http_408', 3, () => respond(408, {})],
  'status 425': ['http_425', 3, () => respond(425, {})],
  'status 429 without a time': ['http_429', 3, () => respond(429, {})],
  'status 500': ['http_5xx', 3, () => respond(500, {})],
  'status 599': ['http_5xx', 3, () => respond(599, {})],
  'status 500, then the image': ['ok', 2, () => inTurn(respond(500, {}), ok())],
  'status 206': ['http_invalid', 1, () => respond(206, {}, jpeg)],
  'status 300 without a place': ['http_invalid', 1, () => respond(300, {}, jpeg)],
  'status 302 without a place': ['http_invalid', 1, () => respond(302, {})],
  'status 302 with two places': [
    'http_invalid',
    1,
    () => respond(302, { location: ['/a.jpg', '/b.jpg'] }),
  ],
  'status 302 to nowhere': ['http_4xx', 2, () => redirect('/gone.jpg')],
  'status 302 to an address of 9000 characters': [
    'redirect_blocked',
    1,
    () => redirect(`/${'x'.repeat(9000)}`),
  ],
  'status 304': ['http_invalid', 1, () => raw('HTTP/1.1 304 Not Modified\r\n\r\n')],
  'status 305 with a proxy': ['http_invalid', 1, () => redirect('http://127.0.0.2/', 305)],
  'status 999': ['http_invalid', 1, () => respond(999, {})],
  // contents
  'HTML that says it is JPEG': [
    'not_image',
    1,
    () => endless(`${OK_HEAD}\r\n`, Buffer.from('<!DOCTYPE html><html><body>'.repeat(50))),
  ],
  'an SVG': [
    'format_blocked',
    1,
    () =>
      respond(
        200,
        { 'content-type': 'image/svg+xml' },
        '<svg xmlns="http://www.w3.org/2000/svg" />',
      ),
  ],
  'an image and an archive in one': [
    'ok',
    1,
    () => respond(200, {}, Buffer.concat([jpeg, Buffer.from('PK\x03\x04<script>')])),
  ],
  'an image behind a page': [
    'not_image',
    1,
    () => respond(200, {}, Buffer.concat([Buffer.from('<html><body>'), jpeg])),
  ],
  'an image that says it is text': [
    'ok',
    1,
    () => respond(200, { 'content-type': 'text/html' }, jpeg),
  ],
  'a file cut short': [
    'decode_truncated',
    1,
    () => respond(200, {}, jpeg.subarray(0, jpeg.length / 2)),
  ],
  // refusals
  'an opt-out with an endless image': [
    'optout_header',
    1,
    () => endless(`${OK_HEAD}x-robots-tag: noai\r\n\r\n`, Buffer.alloc(65_536)),
  ],
  'a TDM reservation': ['optout_header', 1, () => respond(200, { 'tdm-reservation': '1' }, jpeg)],
}

describe('the fetcher answers', () => {
  it.each(Object.entries(CASES))('%s', async (_, [code, requests, answer]) => {
    const server = await serve({ '/x.jpg': answer() })

    const outcome = await outcomeOf(makeLoader({ maxBytes: 4 * 2 ** 20 }), server.url('/x.jpg'))

    expect(outcome).toMatchObject({ code })
    expect(server.paths()).toHaveLength(requests)
    if (requests === 3) expect(outcome.attempts).toBe(3)
    if (code.startsWith('http_') && code !== 'http_invalid') {
      expect(outcome.httpStatus).toBeGreaterThanOrEqual(400)
      expect(outcome.host).toBe('127.0.0.1')
    }
  })

  it('a port that nobody listens on', async () => {
    const server = await startHostileServer({})
    await server.close()

    const outcome = await outcomeOf(makeLoader(), server.url('/x.jpg'))

    expect(outcome).toMatchObject({ code: 'connect_refused', host: '127.0.0.1' })
  })

  it('a pixel bomb', LONG, async () => {
    const bomb = await sharp({
      create: { width: 12_000, height: 12_000, channels: 3, background: '#445566' },
    })
      .png()
      .toBuffer()
    const server = await serve({ '/x.png': respond(200, {}, bomb) })

    expect(await outcomeOf(makeLoader(), server.url('/x.png'))).toMatchObject({
      code: 'too_many_pixels',
    })
  })
})

describe('deadlines', () => {
  // Ends what the server would draw out for ever: without, the test's own time is over.
  const withinDeadline = async (
    answer: Answer,
    over: Parameters<typeof makeLoader>[0],
    path = '/x.jpg',
  ) => {
    const server = await serve({ [path]: answer })
    const loader = makeLoader({ deadlineMs: 1_200, retries: 0, ...over })
    const outcome = await outcomeOf(loader, server.url('/x.jpg'))
    return outcome.code
  }

  it('end a server that says nothing', async () => {
    expect(await withinDeadline(() => undefined, {})).toBe('deadline')
  })
  it('end headers that drip', LONG, async () => {
    expect(await withinDeadline(drip(OK_HEAD, 'x: y\r\n', 100), {})).toBe('deadline')
  })
  it('end a body that drips fast enough for the minimum rate', LONG, async () => {
    const answer = drip(`${OK_HEAD}\r\n`, Buffer.concat([jpeg, Buffer.alloc(4000)]), 100)

    expect(await withinDeadline(answer, {})).toBe('deadline')
  })
  it('end a body of one byte at a time that has no minimum rate', LONG, async () => {
    const answer = drip(`${OK_HEAD}content-length: ${jpeg.length}\r\n\r\n`, Buffer.from([0xff]), 50)

    expect(await withinDeadline(answer, { minBytesPerSecond: 0 })).toBe('deadline')
  })
  it('give up a body of one byte at a time', async () => {
    const answer = drip(`${OK_HEAD}content-length: ${jpeg.length}\r\n\r\n`, Buffer.from([0xff]), 50)

    expect(await withinDeadline(answer, { deadlineMs: 20_000, minRateGraceMs: 500 })).toBe(
      'stalled',
    )
  })
  it('end redirects that take their time', LONG, async () => {
    const slow: Answer = (socket) => {
      setTimeout(() => socket.write(head(302, { location: '/x.jpg', 'content-length': '0' })), 500)
    }

    expect(await withinDeadline(slow, { maxRedirects: 20 })).toBe('deadline')
  })
  it('give up a body below the minimum rate', LONG, async () => {
    const answer = drip(`${OK_HEAD}\r\n`, Buffer.from([0xff, 0xd8, 0xff, 0xe0]), 100)

    expect(await withinDeadline(answer, { deadlineMs: 20_000, minRateGraceMs: 500 })).toBe(
      'stalled',
    )
  })
  it('give up a body that stops', LONG, async () => {
    const answer = raw(framed('content-length: 100000\r\n'))

    expect(await withinDeadline(answer, { deadlineMs: 20_000, minRateGraceMs: 500 })).toBe(
      'stalled',
    )
  })
  it('hold for robots.txt, which fails all rows of its site at once', async () => {
    const server = await serve({
      '/robots.txt': drip(`${OK_HEAD}\r\n`, 'user-agent: *\n', 100),
      '/x.jpg': ok(),
    })
    const loader = makeLoader({ deadlineMs: 1_200 })

    const outcomes = await Promise.all(
      Array.from({ length: 5 }, () => outcomeOf(loader, server.url('/x.jpg'))),
    )

    expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set(['robots_unreachable']))
    expect(server.paths()).toEqual([])
    expect(server.asked.filter(({ path }) => path === '/robots.txt')).toHaveLength(1)
  })
  it('are left early by whoever aborts', async () => {
    const server = await serve({ '/x.jpg': () => undefined })
    const controller = new AbortController()
    const waiting = outcomeOf(makeLoader(), server.url('/x.jpg'), controller.signal)
    setTimeout(() => {
      controller.abort(new Error('enough'))
    }, 300)

    await expect(waiting).rejects.toThrow('enough')
  })
})

describe('robots.txt', () => {
  it.each([
    ['that forbids', respond(200, {}, 'user-agent: *\ndisallow: /'), 'robots_disallowed'],
    ['that is ill', respond(500, {}), 'robots_unreachable'],
    ['that is not there', respond(404, {}), 'ok'],
    ['that runs in circles', redirect('/robots.txt'), 'ok'],
    ['that points into the private network', redirect('http://10.0.0.1/'), 'redirect_blocked'],
    ['that is not HTTP', rawThenClose('hello\r\n'), 'robots_unreachable'],
    [
      'without end, whose first half MiB count',
      endless(`${OK_HEAD}\r\nuser-agent: *\ndisallow: /x\n`, Buffer.from('# more\n'.repeat(9999))),
      'robots_disallowed',
    ],
    [
      'with a content signal',
      respond(200, {}, 'user-agent: *\ncontent-signal: ai-train=no\nallow: /'),
      'optout_header',
    ],
  ])('%s', async (_, answer, code) => {
    const server = await serve({ '/robots.txt': answer, '/x.jpg': respond(200, {}, jpeg) })

    expect(await outcomeOf(makeLoader(), server.url('/x.jpg'))).toMatchObject({ code })
    expect(server.paths()).toHaveLength(code === 'ok' ? 1 : 0)
  })
  it('is asked once for a thousand rows', async () => {
    const server = await serve({ '/x.jpg': respond(404, {}) })
    const loader = makeLoader({ concurrency: 1000 })

    await Promise.all(
      Array.from({ length: 1000 }, (_, row) => outcomeOf(loader, server.url(`/x.jpg?${row}`))),
    )

    expect(server.paths()).toHaveLength(1000)
    expect(server.asked).toHaveLength(1002)
  })
})

describe('Retry-After', () => {
  it.each([
    [429, () => '2'],
    [503, () => '2'],
    // A date has whole seconds.
    [503, () => new Date(Date.now() + 3_000).toUTCString()],
  ])('of status %i is waited for', LONG, async (status, time) => {
    const server = await serve({
      '/x.jpg': inTurn((socket, asked) => {
        respond(status, { 'retry-after': time() })(socket, asked)
      }, ok()),
    })

    expect(await outcomeOf(makeLoader(), server.url('/x.jpg'))).toMatchObject({ code: 'ok' })
    const [first, second] = server.asked.filter(({ path }) => path === '/x.jpg')
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(1_900)
  })
  it.each([429, 503])('beyond the limit leaves the host alone (%i)', async (status) => {
    const server = await serve({ '/x.jpg': respond(status, { 'retry-after': '3600' }) })
    const loader = makeLoader()

    const first = await outcomeOf(loader, server.url('/x.jpg'))
    const second = await outcomeOf(loader, server.url('/x.jpg'))

    expect(first).toMatchObject({ code: status === 429 ? 'http_429' : 'http_5xx', attempts: 1 })
    expect(second).toMatchObject({ code: 'host_circuit_open', host: '127.0.0.1' })
    expect(server.paths()).toHaveLength(1)
  })
})

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('of status %i is followed', async (status) => {
    const server = await serve({ '/x.jpg': redirect('/y.jpg', status), '/y.jpg': ok() })

    expect(await outcomeOf(makeLoader(), server.url('/x.jpg'))).toMatchObject({ code: 'ok' })
    expect(server.paths()).toEqual(['/x.jpg', '/y.jpg'])
  })
})

describe('the circuit of a host', () => {
  it('opens when it fails again and again, for that host alone', async () => {
    const server = await serve({ '/bad.jpg': respond(500, {}), '/good.jpg': ok() })
    const loader = makeLoader(
      { circuitFailures: 4, retries: 0 },
      { query: async (_, family) => (family === 4 ? [{ address: '127.0.0.1', ttl: 60 }] : []) },
    )
    const codes: string[] = []
    for (let row = 0; row < 6; row++) {
      codes.push((await outcomeOf(loader, server.url('/bad.jpg', 'ill.test'))).code)
    }

    expect(codes.slice(0, 4)).toEqual(Array(4).fill('http_5xx'))
    expect(codes.slice(4)).toEqual(['host_circuit_open', 'host_circuit_open'])
    expect((await outcomeOf(loader, server.url('/good.jpg', 'well.test'))).code).toBe('ok')
  })
})

describe('TLS', () => {
  /** Answers over TLS with the certificate of "trusted.test". */
  async function serveTls(answer: Buffer): Promise<number> {
    const server = tls.createServer({ key: KEY, cert: CERTIFICATE }, (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (chunk: Buffer) => {
        const isImage = chunk.toString('latin1').startsWith('GET /x.jpg')
        socket.write(isImage ? answer : head(404, { 'content-length': '0' }))
      })
    })
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return (server.address() as net.AddressInfo).port
  }
  const deps = { query: async () => [{ address: '127.0.0.1', ttl: 60 }] }
  const image = () => framed(`content-length: ${jpeg.length}\r\n`)

  it('works when the certificate is trusted and has the name', async () => {
    const port = await serveTls(image())
    const loader = makeLoader({ ipv6: false }, { ...deps, ca: CERTIFICATE })

    expect(await outcomeOf(loader, `https://trusted.test:${port}/x.jpg`)).toMatchObject({
      code: 'ok',
    })
  })
  it('fails with a reason otherwise, and is not tried again', async () => {
    const port = await serveTls(image())
    const trusting = makeLoader({ ipv6: false }, { ...deps, ca: CERTIFICATE })
    const url = (host: string) => `https://${host}:${port}/x.jpg`

    expect(await outcomeOf(makeLoader({ ipv6: false }, deps), url('trusted.test'))).toMatchObject({
      code: 'tls_error',
      message: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      attempts: 1,
    })
    expect(await outcomeOf(trusting, url('other.test'))).toMatchObject({
      code: 'tls_error',
      message: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
  })
  it('fails on a server that speaks plain HTTP', async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as net.AddressInfo

    expect(await outcomeOf(makeLoader(), `https://127.0.0.1:${port}/x.jpg`)).toMatchObject({
      code: 'tls_error',
    })
  })
  it('trusts what the option names, and nothing that the environment does', LONG, async () => {
    const port = await serveTls(image())
    const folder = await temporaryFolder()
    const caFile = path.join(folder, 'ca.pem')
    // Node takes no file without the last line feed.
    await fs.writeFile(caFile, `${CERTIFICATE}\n`)
    const url = `https://trusted.test:${port}/x.jpg`
    const dns = await startDnsServer(() => '127.0.0.1')
    const config = await makeWebDataset(folder, [{ url }], {
      fetch: { dnsServers: [dns.address], ipv6: false },
    })
    const run = path.join(folder, 'run')
    // Node reads the variable when it starts.
    const { ended } = startGroundmill(['run', config, `--out=${run}`, '--json'], {
      NODE_EXTRA_CA_CERTS: caFile,
    })

    expect(await outcomeOf(makeLoader({ ipv6: false, caFile }, deps), url)).toMatchObject({
      code: 'ok',
    })
    expect(JSON.parse((await ended).stdout)).toMatchObject({ reasons: { tls_error: 1 } })
  })
  it('names a file of certificates that is none', async () => {
    const caFile = path.join(await temporaryFolder(), 'ca.pem')
    expect(() => makeLoader({ caFile })).toThrow(/^fetch.caFile: ENOENT/)
    await fs.writeFile(caFile, 'no certificate')
    expect(() => makeLoader({ caFile })).toThrow('holds no certificate in PEM')
  })
  it('is not left by a redirect, unless that is allowed', async () => {
    const plain = await serve({ '/x.jpg': ok() })
    const port = await serveTls(
      Buffer.from(head(302, { location: plain.url('/x.jpg'), 'content-length': '0' })),
    )
    const url = `https://trusted.test:${port}/x.jpg`
    const load = (allowDowngrade: boolean) =>
      outcomeOf(makeLoader({ ipv6: false, allowDowngrade }, { ...deps, ca: CERTIFICATE }), url)

    expect(await load(false)).toMatchObject({ code: 'redirect_blocked' })
    expect(plain.asked).toEqual([])
    expect(await load(true)).toMatchObject({ code: 'ok' })
  })
})
