import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { parseHashList, parseUrlList } from '../../../src/ingest/fetch/blocklist.ts'
import { identifyHooks, loadHooks } from '../../../src/ingest/fetch/hooks.ts'
import { redirect, respond, startHostileServer } from '../../helpers/hostile-server.ts'
import { makeLoader } from '../../helpers/image-loader.ts'
import { makeJpeg } from '../../helpers/images.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

const { signal } = new AbortController()

async function writeFile(name: string, content: string): Promise<string> {
  const file = path.join(await temporaryFolder(), name)
  await fs.writeFile(file, content)
  return file
}

const hook = (body: string, version = '1') =>
  writeFile('hook.mjs', `export const name = 'test'\nexport const version = '${version}'\n${body}`)

/** A loader with hooks and lists, and a server that counts. */
async function withHooks(options: Partial<Parameters<typeof loadHooks>[0]>) {
  const jpeg = await makeJpeg({ width: 64, height: 48 })
  const server = await startHostileServer({
    '/x.jpg': respond(200, {}, jpeg),
    '/moved.jpg': redirect('/x.jpg'),
  })
  onTestFinished(() => server.close())
  const loader = makeLoader(
    {},
    {},
    await loadHooks({ hooks: [], ...options }, (url) => `digest of ${url}`),
  )
  const load = (url: string, caption = 'a dog') =>
    loader.load({ image: { kind: 'url', url }, caption }, signal)
  return { server, load, jpeg }
}

describe('a hook', () => {
  it('before the fetch sees URL, host and caption, and saves the request', async () => {
    const file = await hook(`
      export const beforeFetch = ({ url, host, caption }) =>
        caption.includes('secret') ? { drop: host + ' ' + new URL(url).pathname } : undefined`)
    const { server, load } = await withHooks({ hooks: [file] })

    await expect(load(server.url('/x.jpg'), 'a secret')).rejects.toMatchObject({
      code: 'hook_dropped',
      message: 'test: 127.0.0.1 /x.jpg',
    })
    expect(server.asked).toEqual([])
    await expect(load(server.url('/x.jpg'))).resolves.toMatchObject({ width: 64 })
  })
  it('on bytes sees them as they came', async () => {
    const file = await hook(`
      export async function onBytes({ bytes, sha256 }) {
        return bytes[0] === 0xff ? { quarantine: sha256 } : 'keep'
      }`)
    const { server, load, jpeg } = await withHooks({ hooks: [file] })

    await expect(load(server.url('/x.jpg'))).rejects.toMatchObject({
      code: 'hook_quarantined',
      message: `test: ${createHash('sha256').update(jpeg).digest('hex')}`,
    })
  })
  it('on bytes may find the image in a list, and only there', async () => {
    const onBytes = await hook(`export const onBytes = () => ({ match: 'ours' })`)
    const { server, load } = await withHooks({ hooks: [onBytes] })
    const late = await withHooks({
      hooks: [await hook(`export const afterDecode = () => ({ match: 'ours' })`)],
    })
    const url = server.url('/x.jpg')

    await expect(load(url)).rejects.toMatchObject({
      code: 'blocklist_hash',
      message: 'list ours',
      context: { urlDigest: `digest of ${url}` },
    })
    await expect(late.load(late.server.url('/x.jpg'))).rejects.toMatchObject({ name: 'ShardError' })
  })
  it('after decoding sees pixels and hashes', async () => {
    const file = await hook(`
      export const afterDecode = ({ image, dhash, caption }) => ({
        drop: [image.width, image.height, image.data.length, dhash.length, caption].join(' '),
      })`)
    const { server, load } = await withHooks({ hooks: [file] })

    await expect(load(server.url('/x.jpg'))).rejects.toMatchObject({
      code: 'hook_dropped',
      message: `test: 64 48 ${64 * 48 * 3} 16 a dog`,
    })
  })
  it('that fails or answers something else fails the shard, not the row', async () => {
    const thrower = await hook(`export const onBytes = () => { throw new Error('no model') }`)
    const { server, load } = await withHooks({ hooks: [thrower] })
    const liar = await withHooks({ hooks: [await hook(`export const onBytes = () => false`)] })

    await expect(load(server.url('/x.jpg'))).rejects.toMatchObject({
      name: 'ShardError',
      message: 'hook test 1, onBytes: no model',
    })
    await expect(liar.load(liar.server.url('/x.jpg'))).rejects.toMatchObject({ name: 'ShardError' })
  })
  it('is named when it cannot be loaded', async () => {
    const load = (content: string) =>
      writeFile('hook.mjs', content).then((file) => loadHooks({ hooks: [file] }, String))

    await expect(loadHooks({ hooks: ['/nowhere/hook.mjs'] }, String)).rejects.toThrow(
      '/nowhere/hook.mjs',
    )
    await expect(load('export const name = 1')).rejects.toThrow(/version/)
    await expect(load("export const name = 'a', version = '1'")).rejects.toThrow('exports none of')
    await expect(load('syntax error')).rejects.toThrow('fetch.hooks')
  })
  it('gives the run its name, version and hash, not its place', async () => {
    const body = 'export const onBytes = () => undefined'
    const identities = await Promise.all(
      [hook(body), hook(body), hook(body, '2'), hook(`${body} // changed`)].map(async (file) =>
        JSON.stringify(await identifyHooks({ hooks: [await file] })),
      ),
    )

    expect(JSON.parse(identities[0]!)).toMatchObject({ hooks: [{ name: 'test', version: '1' }] })
    expect(identities[1]).toBe(identities[0])
    expect(new Set(identities).size).toBe(3)
  })
})

describe('a list of URLs', () => {
  const list = parseUrlList(
    'list.txt',
    '# comment\n\nexample.com\r\nBÜCHER.example\nhttps://a.test/private/\nhttp://b.test:8080/x?y=1\n',
  )
  it.each([
    ['http://example.com/', true],
    ['https://img.EXAMPLE.com:8443/x', true],
    ['https://example.com./x', true],
    ['https://notexample.com/', false],
    ['https://example.com.evil.test/', false],
    ['http://xn--bcher-kva.example/x', true],
    ['http://a.test/private/x.jpg', true],
    ['https://a.test/privat', false],
    ['https://b.a.test/private/x', false],
    ['http://b.test:8080/x?y=12', true],
    ['http://b.test/x?y=1', false],
  ])('%s: %s', (url, expected) => {
    expect(list.has(new URL(url))).toBe(expected)
  })
  it('names the line that is no entry', () => {
    expect(() => parseUrlList('l.txt', 'a.test\nb c\n')).toThrow('l.txt, line 2: "b c"')
    expect(() => parseUrlList('l.txt', 'a.test/path')).toThrow('line 1')
  })
  it('holds for redirects, too', async () => {
    const blockUrls = await writeFile('urls.txt', '127.0.0.1\n')
    const { server, load } = await withHooks({ blockUrls })

    await expect(load(server.url('/moved.jpg'))).rejects.toMatchObject({
      code: 'blocklist_url',
      message: 'list urls.txt',
    })
    expect(server.asked).toEqual([])
  })
})

describe('a list of hashes', () => {
  it.each(['md5', 'sha1', 'sha256'])('refuses an image by %s', async (algorithm) => {
    const jpeg = await makeJpeg({ width: 64, height: 48 })
    const hash = createHash(algorithm).update(jpeg).digest('hex').toUpperCase()
    const blockHashes = await writeFile('hashes.txt', `# list\n${hash}\n`)
    const { server, load } = await withHooks({ blockHashes })

    await expect(load(server.url('/x.jpg'))).rejects.toMatchObject({
      code: 'blocklist_hash',
      message: 'list hashes.txt',
    })
  })
  it('names the line that is no hash', () => {
    expect(() => parseHashList('h.txt', `${'a'.repeat(64)}\nxyz`)).toThrow('h.txt, line 2: "xyz"')
  })
})
