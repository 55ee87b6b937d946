import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { fetchOptionsSchema } from '../../../../src/ingest/fetch/options.ts'
import { sourceOptionsSchema } from '../../../../src/ingest/source/options.ts'
import { openSource } from '../../../../src/ingest/source/source.ts'
import { createSourceStore } from '../../../../src/ingest/source/files/source-store.ts'
import { listFiles } from '../../../../src/ingest/source/files/list-files.ts'
import { parseS3 } from '../../../../src/ingest/source/files/addresses.ts'
import { ROOT } from '../../../helpers/groundmill.ts'
import { runMain } from '../../../helpers/main.ts'
import { findPython, runPython } from '../../../helpers/python.ts'
import { BUCKET, s3Error, startS3, type S3Store } from '../../../helpers/s3-store.ts'
import {
  codesOf,
  failure,
  open,
  planOf,
  readShard,
  readSource,
  rowsOf,
  type Network,
  type SourceConfig,
} from '../../../helpers/sources.ts'
import { temporaryFolder } from '../../../helpers/temporary-folder.ts'
import { makeToyDataset } from '../../../helpers/toy-dataset.ts'

const python = findPython('moto', 'flask', 'flask_cors', 'pyarrow', 'webdataset')
const withImg2dataset = findPython('img2dataset')
const never = new AbortController().signal
const network: Network = { fetch: fetchOptionsSchema.parse({ retryBaseMs: 1 }) }

const lines = (count: number) =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ url: `u${n}`, caption: `c${n}` })).join(
    '\n',
  )

describe('addresses', () => {
  it('takes a key as it stands', () => {
    expect(parseS3('s3://b-1.x/a b/%20?#+é')).toEqual({ bucket: 'b-1.x', key: 'a b/%20?#+é' })
    expect(parseS3('S3://bucket//a')).toEqual({ bucket: 'bucket', key: '/a' })
    expect(parseS3('s3://bucket')).toEqual({ bucket: 'bucket', key: '' })
  })

  it('refuses what names no bucket', () => {
    for (const address of ['s3://', 's3:///key', 's3://*/a', 's3://me@host/a', 's3://arn:aws:s3/a'])
      expect(() => parseS3(address), address).toThrow(/is no name of a bucket; write s3:/)
  })
})

describe('without the AWS SDK', () => {
  it('says what to install', async () => {
    // The program beside every package but the SDK.
    const folder = await temporaryFolder()
    await fs.cp(path.join(ROOT, 'dist'), path.join(folder, 'dist'), { recursive: true })
    await fs.copyFile(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'))
    await fs.mkdir(path.join(folder, 'node_modules'))
    for (const name of await fs.readdir(path.join(ROOT, 'node_modules'))) {
      if (name === '@aws-sdk') continue
      const link = path.join(folder, 'node_modules', name)
      await fs.symlink(path.join(ROOT, 'node_modules', name), link)
    }
    const program = path.join(folder, 'dist/main.js')
    const argv = ['run', 'configs/demo.yaml', '--set=source.files=s3://bucket/a.parquet']
    const ended = spawnSync(process.execPath, [program, ...argv, '--dry-run'], {
      cwd: ROOT,
      encoding: 'utf8',
    })

    expect(ended.stderr).toBe(
      'groundmill: source.files: s3:// needs the AWS SDK, which is not installed: npm install @aws-sdk/client-s3\n',
    )
    expect(ended.status).toBe(65)
  })
})

// The store is a Python server: beside other work a test may take minutes.
describe.skipIf(python === undefined)('objects in S3', { tags: 'long' }, () => {
  let store: S3Store
  beforeAll(async () => {
    store = await startS3(python!)
  }, 120_000)
  afterAll(() => store.stop())
  beforeEach(() => {
    for (const [name, value] of Object.entries({
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_CONFIG_FILE: '/nowhere',
      AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
      AWS_EC2_METADATA_DISABLED: 'true',
    })) {
      vi.stubEnv(name, value)
    }
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    store.trouble()
  })

  const at = (key: string) => `s3://${BUCKET}/${key}`
  const config = (over: SourceConfig): SourceConfig => ({
    s3: { endpoint: store.endpoint },
    ...over,
  })
  const files = (fetch = network.fetch) =>
    createSourceStore(sourceOptionsSchema.parse(config({})).s3, { fetch })

  describe('as files', () => {
    it("reads pyarrow's Parquet by ranges", async () => {
      const bytes = await fs.readFile('sample/captions.parquet')
      await store.put('p/captions.parquet', bytes)
      const columns = { image: 'image', caption: 'caption' }
      const from = store.asked.length

      const here = await readSource({ columns, files: 'sample/captions.parquet' }, [50])
      const there = await readSource(config({ columns, files: at('p/captions.parquet') }), [50])

      expect(there.map((item) => 'caption' in item && item.caption)).toEqual(
        here.map((item) => 'caption' in item && item.caption),
      )
      expect(there).toHaveLength(200)
      const asked = store.asked.slice(from)
      expect(asked.every((line) => /bytes=\d+-\d+$|bytes=\d+-$/.test(line))).toBe(true)
    })

    it.skipIf(withImg2dataset === undefined)("reads Python's files as from a disk", async () => {
      const folder = await temporaryFolder()
      await runPython(python!, 'test/ingest/source/write_parquet.py', folder)
      await runPython(python!, 'test/ingest/source/write_tar.py', folder)
      await runPython(python!, 'test/ingest/source/write_img2dataset.py', 'writers', folder)
      const names = (await fs.readdir(folder, { recursive: true })).filter((name) =>
        /zstd|lz4|web-|^webdataset\/0/.test(name),
      )
      for (const name of names) {
        await store.put(`python/${name}`, await fs.readFile(path.join(folder, name)))
      }
      const sources: SourceConfig[] = [
        { files: names.find((name) => name.includes('zstd'))!, columns: { url: 'url' } },
        { files: 'web-*.tar', columns: { keep: ['url', 'score'] } },
        { files: 'webdataset/*.tar', preset: 'img2dataset', columns: { keep: ['url'] } },
      ]

      for (const source of sources) {
        const named = String(source.files)
        const here = await readSource({ ...source, files: path.join(folder, named) }, [7])
        const there = await readSource(config({ ...source, files: at(`python/${named}`) }), [7])

        expect(here.length, named).toBeGreaterThan(0)
        expect(codesOf(there), named).toEqual(codesOf(here))
        expect(strip(there), named).toEqual(strip(here))
      }
    })

    it('reads text, plain and packed, and begins a shard at its byte', async () => {
      const text = lines(3000)
      await store.put('t/a.jsonl', text)
      await store.put('t/b.jsonl.gz', gzipSync(text))

      const items = await readSource(
        config({ files: [at('t/a.jsonl'), at('t/b.jsonl.gz')] }),
        [2000],
      )
      const source = await open(config({ files: at('t/a.jsonl') }))
      const last = (await planOf(source, 1000)).at(-1)!
      const rows = await readShard(source, last)
      await source.close()

      expect(rowsOf(items)).toHaveLength(6000)
      expect(rowsOf(rows)).toHaveLength(1000)
      expect(store.asked.at(-1)).toMatch(/^GET \/captions\/t\/a\.jsonl\S* bytes=[1-9]\d*-$/)
    })

    it('reads keys with every kind of character', async () => {
      const keys = ['a b', 'ünï 🐕', '100%25', 'what?x=1', 'a#b', 'a+b&c=d', "q'(x)!", 'x//y/../z']
      for (const key of keys) await store.put(`odd/${key}.jsonl`, lines(2))

      for (const key of keys) {
        const source = await open(config({ files: at(`odd/${key}.jsonl`) }))
        expect(source.identity, key).toMatchObject({ files: [{ path: at(`odd/${key}.jsonl`) }] })
        expect(rowsOf(await readShard(source, (await planOf(source, 10))[0]!)), key).toHaveLength(2)
        await source.close()
      }
      // All but the one below a name that begins with a dot.
      expect(rowsOf(await readSource(config({ files: at('odd/') }), [100]))).toHaveLength(14)
    })

    it('reads an empty object as an empty file', async () => {
      await store.put('empty/a.jsonl', '')
      await store.put('empty/b.jsonl', lines(1))
      const reader = files()

      const { size } = await reader.until(never).file(at('empty/a.jsonl')).describe()
      await reader.close()
      const items = await readSource(config({ files: at('empty/*.jsonl') }), [10])

      expect(size).toBe(0)
      expect(rowsOf(items)).toHaveLength(1)
    })

    it('is known by its ETag, size and edges, and mixes no two objects', async () => {
      await store.put('changing.jsonl', lines(3))
      const source = config({ files: at('changing.jsonl') })
      const before = await open(source)
      await store.put('changing.jsonl', lines(3).replace('c1', 'd1'))
      const after = await open(source)
      await after.close()

      expect(before.identity).toMatchObject({
        files: [{ path: source.files, size: 83, etag: expect.stringMatching(/^"/) }],
      })
      expect(after.identity).not.toEqual(before.identity)
      expect(await failure(planOf(before, 10))).toMatch(
        /^ShardError: s3:\/\/captions\/changing\.jsonl changed while it was read/,
      )
      expect(store.headers()['if-match']).toMatch(/^"/)
      await before.close()
    })

    it('goes on where a connection broke', async () => {
      const text = lines(3000)
      await store.put('broken.jsonl', text)
      let breaks = 0
      store.trouble((request, response) => {
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1])
        const etag = request.headers['if-match']
        if (Number.isNaN(from) || etag === undefined || breaks++ % 2 === 1) return false
        response.writeHead(206, {
          etag,
          'content-range': `bytes ${from}-${text.length - 1}/${text.length}`,
          'content-length': text.length - from,
        })
        response.write(text.slice(from, from + 5000), () => response.destroy())
        return true
      })

      const items = await readSource(config({ files: at('broken.jsonl') }), [1000], network)

      expect(rowsOf(items)).toHaveLength(3000)
      expect(breaks).toBeGreaterThan(2)
    })

    it('keeps its connection from range to range', async () => {
      await store.put('ranges.bin', new Uint8Array(500_000))
      const ports = new Set<number | undefined>()
      store.trouble((request) => {
        ports.add(request.socket.remotePort)
        return false
      })
      const reader = files()
      const file = await reader.until(never).file(at('ranges.bin')).open()
      for (let start = 0; start < 500_000; start += 100_000) await file.read(start, 80_000)
      await reader.close()

      expect(ports.size).toBe(1)
    })
  })

  describe('as the source of a run', () => {
    it('labels the same as from a disk, and refuses to go on with another object', async () => {
      const folder = await temporaryFolder()
      const { config: yaml } = await makeToyDataset(path.join(folder, 'data'), { rows: 20 })
      const rows = await fs.readFile(path.join(folder, 'data/rows.jsonl'))
      await store.put('run/rows.jsonl', rows)
      const run = (...over: string[]) =>
        runMain('run', yaml, '--set=run.samplesPerShard=8', ...over)
      const remote = [
        `--out=${folder}/there`,
        `--set=source.files=${at('run/*.jsonl')}`,
        `--set=source.s3.endpoint=${store.endpoint}`,
        `--set=source.imageRoot=${folder}/data`,
      ]
      const read = async (name: string) =>
        Promise.all(
          ['00000', '00001', '00002'].map((shard) =>
            fs.readFile(path.join(folder, name, 'shards', shard, 'rejects.jsonl'), 'utf8'),
          ),
        )

      const here = await run(`--out=${folder}/here`)
      const there = await run(...remote)
      await store.put('run/rows.jsonl', Buffer.concat([rows, Buffer.from('\n')]))
      const changed = await run(...remote)

      expect([here.code, there.code]).toEqual([0, 0])
      expect(await read('there')).toEqual(await read('here'))
      expect(changed.code).toBe(2)
      expect(changed.stderr).toMatch(/source\.files\[0\]\.etag: the run has /)
    })
  })

  describe('folders and patterns', () => {
    it('lists past a thousand keys, sorted, without hidden ones', async () => {
      const names = Array.from({ length: 1010 }, (_, n) => `${String(n).padStart(5, '0')}.jsonl`)
      for (let from = 0; from < names.length; from += 100) {
        await Promise.all(
          names.slice(from, from + 100).map((name) => store.put(`many/${name}`, lines(1))),
        )
      }
      await store.put('many/.hidden.jsonl', lines(1))
      await store.put('many/', '')
      const reader = files()
      const from = store.asked.length
      const found = await listFiles([at('many/*.jsonl')], [], reader.until(never))
      await reader.close()

      expect(found).toEqual(names.map((name) => at(`many/${name}`)))
      expect(store.asked.length - from).toBe(2)
    }, 120_000)

    it('matches as on a disk', async () => {
      for (const key of [
        'x/1.jsonl',
        'x/2.jsonl',
        'x/deep/3.jsonl',
        'x/deep/er/4.jsonl',
        'xy.jsonl',
      ])
        await store.put(`glob/${key}`, JSON.stringify({ url: key, caption: 'c' }))
      await store.put('glob/x/readme.md', 'no captions')
      await store.put('glob/x/.git/5.jsonl', lines(1))

      for (const [pattern, found] of [
        ['x/*.jsonl', 'x/1 x/2'],
        ['x/?.jsonl', 'x/1 x/2'],
        ['x*/*.jsonl', 'x/1 x/2'],
        ['x/*/*.jsonl', 'x/deep/3'],
        ['x/**/*.jsonl', 'x/1 x/2 x/deep/3 x/deep/er/4'],
        ['x/{2,1}.jsonl', 'x/2 x/1'],
        ['x/{1..2}.jsonl', 'x/1 x/2'],
        ['x/', 'x/1 x/2 x/deep/3 x/deep/er/4'],
        ['x*', 'xy'],
      ] as const) {
        const type = pattern === 'x*' ? ({ type: 'jsonl' } as const) : {}
        const items = await readSource(config({ ...type, files: at(`glob/${pattern}`) }), [10])
        const urls = rowsOf(items).map(({ image }) => image.kind === 'url' && image.url)
        expect(urls, pattern).toEqual(found.split(' ').map((name) => `${name}.jsonl`))
      }
    })

    it('says what matches nothing', async () => {
      await store.put('none/a.txt', 'x')
      for (const [file, message] of [
        ['none/*.jsonl', /^ConfigError: source\.files: nothing matches s3:\/\/captions\/none\/\*/],
        ['nowhere/', /^ConfigError: source\.type: cannot tell the type of "s3:/],
        ['none/', /^ConfigError: source\.type: cannot tell the type of "s3:/],
      ] as const) {
        expect(await failure(open(config({ files: at(file) }))), file).toMatch(message)
      }
      expect(await failure(open(config({ type: 'parquet', files: at('none/') })))).toMatch(
        /^ConfigError: source\.files: no \.parquet file in the folder s3:/,
      )
      expect(await failure(open(config({ type: 'folder', files: at('none/') })))).toMatch(
        /^ConfigError: source\.type: folder is for a folder on this machine/,
      )
    })
  })

  describe('what is refused or lacking', () => {
    const reading = (over: SourceConfig = {}) =>
      failure(open(config({ files: at('trouble.jsonl'), ...over }), network))
    beforeAll(() => store.put('trouble.jsonl', lines(3)))

    it('names the object or the bucket that is not there', async () => {
      expect(await reading({ files: at('missing.jsonl') })).toMatch(
        /^InputError: s3:\/\/captions\/missing\.jsonl: there is no such object; .* slash$/,
      )
      expect(await reading({ files: 's3://no-such-bucket/a.jsonl' })).toMatch(
        /^InputError: s3:.*: there is no bucket no-such-bucket; /,
      )
      expect(await reading({ files: 's3://no-such-bucket/*.jsonl' })).toMatch(/no-such-bucket; /)
    })

    it('names the object that is archived', async () => {
      await store.put('cold.jsonl', lines(3), { StorageClass: 'GLACIER' })

      expect(await reading({ files: at('cold.jsonl') })).toMatch(
        /^InputError: .*cold\.jsonl: the object is archived; restore it/,
      )
    })

    it('reads public objects unsigned, and says of others that they are denied', async () => {
      await store.put('public.jsonl', lines(3), { ACL: 'public-read' })
      const s3 = { endpoint: store.endpoint, anonymous: true }
      vi.stubEnv('AWS_ACCESS_KEY_ID', '')

      const items = await readSource({ s3, files: at('public.jsonl') }, [10])

      expect(rowsOf(items)).toHaveLength(3)
      expect(store.headers()).not.toHaveProperty('authorization')
      expect(await reading({ s3 })).toMatch(
        /^InputError: .*trouble\.jsonl: access is denied; objects need s3:GetObject/,
      )
    })

    it('says what to do about credentials', async () => {
      for (const [code, message] of [
        ['InvalidAccessKeyId', /does not accept the credentials; check AWS_ACCESS_KEY_ID/],
        ['SignatureDoesNotMatch', /does not accept the credentials; check AWS_ACCESS_KEY_ID/],
        ['ExpiredToken', /credentials have expired; renew them and repeat/],
        ['RequestTimeTooSkewed', /the clock of this machine is wrong/],
        ['AccessDenied', /access is denied/],
      ] as const) {
        store.trouble((_, response) => s3Error(response, code === 'ExpiredToken' ? 400 : 403, code))
        expect(await reading(), code).toMatch(message)
      }
      vi.stubEnv('AWS_ACCESS_KEY_ID', '')
      expect(await reading()).toMatch(/^ShardError: .*: no credentials; set AWS_PROFILE, or/)
    })

    it('asks for a region', async () => {
      vi.stubEnv('AWS_REGION', '')
      expect(await reading()).toMatch(/^ConfigError: source\.s3\.region: no region is set/)

      const items = await readSource(
        { s3: { endpoint: store.endpoint, region: 'auto' }, files: at('trouble.jsonl') },
        [10],
      )
      expect(rowsOf(items)).toHaveLength(3)
    })

    it('leaves a store that asks for less to a later try, after the retries of the SDK', async () => {
      store.trouble((_, response) => s3Error(response, 503, 'SlowDown'))
      const from = store.asked.length

      expect(await reading()).toMatch(/^ShardError: cannot read .*fewer requests; try later/)
      expect(store.asked.length - from).toBe(3)
    })

    it('gives up on a store that is not there or does not answer', async () => {
      const s3 = { endpoint: 'http://127.0.0.1:1' }
      expect(await reading({ s3 })).toMatch(/^ShardError: cannot read s3:.*ECONNREFUSED/)

      store.trouble(() => true)
      const fetch = fetchOptionsSchema.parse({ headersTimeoutMs: 50 })
      expect(await failure(open(config({ files: at('trouble.jsonl') }), { fetch }))).toMatch(
        /^ShardError: cannot read s3:.*50 ms/,
      )
    })

    it('follows a bucket to its region, and no other redirect', async () => {
      let signedFor: string | undefined
      store.trouble((request, response) => {
        signedFor = /\/(\w+-\w+-\d)\/s3\//.exec(request.headers.authorization ?? '')?.[1]
        if (signedFor !== 'us-east-1') return false
        response.setHeader('x-amz-bucket-region', 'eu-west-1')
        return s3Error(response, 301, 'PermanentRedirect')
      })
      const items = await readSource(config({ files: at('trouble.jsonl') }), [10])
      expect(rowsOf(items)).toHaveLength(3)
      expect(signedFor).toBe('eu-west-1')

      store.trouble((_, response) => {
        response.setHeader('location', 'http://127.0.0.1:1/')
        return s3Error(response, 307, 'TemporaryRedirect')
      })
      expect(await reading()).toMatch(/^InputError: .*HTTP 307, TemporaryRedirect/)
    })
  })

  describe('a signal', () => {
    /** Ends with the signal's reason: nothing else ends what waits here, but the time-out of the test. */
    const expectStop = async (
      work: (signal: AbortSignal) => Promise<unknown>,
      begun: Promise<unknown>,
    ) => {
      const stop = new AbortController()
      const ended = failure(work(stop.signal))
      await begun
      stop.abort(new Error('stopped by the test'))
      expect(await ended).toBe('Error: stopped by the test')
    }
    const opening = (signal: AbortSignal) =>
      openSource(sourceOptionsSchema.parse(config({ files: at('trouble.jsonl') })), signal, network)
    const reached = () => {
      let reach: () => void = () => undefined
      const promise = new Promise<void>((resolve) => (reach = resolve))
      return { promise, reach }
    }

    it('stops a request that is not answered', async () => {
      const { promise, reach } = reached()
      store.trouble(() => {
        reach()
        return true
      })

      await expectStop(opening, promise)
    })

    it('stops a body that does not come', async () => {
      const { promise, reach } = reached()
      store.trouble((_, response) => {
        response.writeHead(206, {
          etag: '"x"',
          'content-range': 'bytes 0-99/100',
          'content-length': 100,
        })
        response.write('{"url":')
        return true
      })
      const reader = files()
      const read = async (signal: AbortSignal) => {
        for await (const chunk of reader.until(signal).file(at('trouble.jsonl')).stream(0)) {
          expect(chunk.toString()).toBe('{"url":')
          reach()
        }
      }

      await expectStop(read, promise)
      await reader.close()
    })

    it('stops while credentials are waited for', async () => {
      const folder = await temporaryFolder()
      const [helper, started, end] = ['helper.sh', 'started', 'end'].map((name) =>
        path.join(folder, name),
      ) as [string, string, string] // as many as names
      await fs.writeFile(
        helper,
        `touch '${started}'\nwhile [ ! -e '${end}' ]; do sleep 0.1; done\n`,
      )
      const profile = path.join(folder, 'config')
      await fs.writeFile(profile, `[default]\ncredential_process = sh '${helper}'\n`)
      vi.stubEnv('AWS_CONFIG_FILE', profile)
      vi.stubEnv('AWS_ACCESS_KEY_ID', '')

      await expectStop(
        opening,
        vi.waitUntil(() => existsSync(started), { timeout: 200_000 }),
      )
      await fs.writeFile(end, '')
    })
  })
})

/** Items without where their files are. */
function strip(items: readonly unknown[]): unknown {
  const text = JSON.stringify(items)
  return JSON.parse(text.replaceAll(/(s3:\/\/captions\/python|\/tmp\/[^/"]*)\//g, ''))
}
