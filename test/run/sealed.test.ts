import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Reject } from '../../src/core/reasons.ts'
import { respond, startHostileServer, type Answer } from '../helpers/hostile-server.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset, redSquare } from '../helpers/toy-web.ts'

/** Row 1 is in the list, row 2 is what a hook takes for a match, row 4 is row 1's URL without a caption. */
async function makeDataset(folder: string, breaking = false) {
  const [good, listed, matched] = await Promise.all([0, 1, 2].map(redSquare))
  const late: Answer = (socket, asked) => {
    setTimeout(() => {
      respond(200, {}, good)(socket, asked)
    }, 700)
  }
  const server = await startHostileServer({
    '/good.png': respond(200, {}, good),
    '/sealed-list.png': respond(200, {}, listed),
    '/sealed-hook.png': respond(200, {}, matched),
    '/late.png': breaking ? late : respond(200, {}, good),
    '/busy.png': respond(503, {}, 'busy'),
  })
  onTestFinished(() => server.close())
  const blockHashes = path.join(folder, 'hashes.txt')
  await fs.writeFile(blockHashes, `${createHash('md5').update(listed!).digest('hex')}\n`)
  const hook = path.join(folder, 'hook.mjs')
  await fs.writeFile(
    hook,
    `export const name = 'pdq', version = '1'
    export const onBytes = ({ url, sha256 }) => {
      if (${breaking} && url.endsWith('late.png')) throw new Error('the hook broke')
      const isMatch = sha256 === '${createHash('sha256').update(matched!).digest('hex')}'
      return isMatch ? { match: 'perceptual' } : 'keep'
    }`,
  )
  const names = ['good', 'sealed-list', 'sealed-hook', 'busy', 'sealed-list', 'late']
  const urls = names.map((name) => server.url(`/${name}.png`))
  const config = await makeWebDataset(
    folder,
    urls.map((url, row) => ({ url, ...(row === 4 ? { caption: '' } : {}) })),
    { fetch: { retries: 0, blockHashes, hooks: [hook] } },
  )
  return { config, urls, listed: listed!, matched: matched!, run: path.join(folder, 'run') }
}

async function filesBelow(folder: string): Promise<{ name: string; bytes: Buffer }[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async ({ parentPath, name }) => {
        return { name, bytes: await fs.readFile(path.join(parentPath, name)) }
      }),
  )
}

async function readRejects(run: string, shard = '00000'): Promise<Reject[]> {
  const text = await fs.readFile(path.join(run, 'shards', shard, 'rejects.jsonl'), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Reject)
}

const hmac = async (run: string, url: string) => {
  // As docs/hooks.md tells an operator to do it.
  const command = `printf %s "$URL" | openssl dgst -sha256 -hmac "$(cat "$RUN/url-key")"`
  const env = { ...process.env, URL: url, RUN: run }
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env })
  return stdout.trim().split(' ').at(-1)
}

describe('an image that a hash list has', () => {
  it('is recorded with code, time, list and a keyed digest alone', async () => {
    const { config, urls, run } = await makeDataset(await temporaryFolder())

    const begun = Math.floor(Date.now() / 1000) * 1000
    const { code, stdout, stderr } = await runMain('run', config, `--out=${run}`)

    expect(code).toBe(0)
    const rejects = await readRejects(run)
    const sealed = rejects.filter((reject) => reject.code === 'blocklist_hash')
    expect(sealed.map(({ row, stage, detail }) => ({ row, stage, detail }))).toEqual([
      { row: 1, stage: 'fetch', detail: 'list hashes.txt' },
      { row: 2, stage: 'fetch', detail: 'list perceptual' },
    ])
    for (const { row, time, urlDigest, ...others } of sealed) {
      expect(Object.keys(others)).toEqual(['key', 'stage', 'code', 'detail'])
      expect(Date.parse(time!)).toBeGreaterThanOrEqual(begun)
      expect(urlDigest).toBe(await hmac(run, urls[row]!))
    }
    // The same URL in a row that was lost for another reason would give it away.
    expect(rejects.find(({ row }) => row === 4)).toMatchObject({
      code: 'caption_empty',
      urlDigest: sealed[0]!.urlDigest,
    })
    expect((await fs.stat(path.join(run, 'url-key'))).mode & 0o777).toBe(0o600)
    for (const { name, bytes } of await filesBelow(run)) {
      expect(bytes.includes('/sealed-'), name).toBe(false)
    }
    expect(stdout + stderr).not.toContain('sealed-')
  })
  it('leaves the other commands working', { tags: 'long' }, async () => {
    const folder = await temporaryFolder()
    const { config, run } = await makeDataset(folder)
    await runMain('run', config, `--out=${run}`)
    const before = await readRejects(run)

    const retried = await runMain('retry-failed', run, '--json')
    const status = await runMain('status', run, '--json', '--hosts=3')
    const out = path.join(folder, 'out')
    const exported = await runMain('export', run, '--format=odvg', `--to=${out}`)
    const validated = await runMain('validate', out, '--format=odvg')

    expect(JSON.parse(retried.stdout)).toMatchObject({ rows: 1, left: { http_5xx: 1 } })
    expect(await readRejects(run)).toEqual(before)
    expect(JSON.parse(status.stdout)).toMatchObject({ reasons: { blocklist_hash: 2 } })
    expect(
      [exported.code, validated.code],
      exported.stderr + validated.stdout + validated.stderr,
    ).toEqual([0, 0])
  })
  it(
    'leaves neither its bytes nor its URL in the journal of a broken attempt',
    { tags: 'long' },
    async () => {
      const { config, run, listed, matched } = await makeDataset(await temporaryFolder(), true)

      const { code, stdout, stderr } = await runMain('run', config, `--out=${run}`)

      expect(code).toBe(1)
      expect(stderr).toContain('the hook broke')
      const files = await filesBelow(run)
      const journal = files.find(({ name }) => name.includes('.journal-'))
      expect(journal?.bytes.includes('/good.png')).toBe(true)
      for (const { name, bytes } of files) {
        const found = ['/sealed-', listed, matched].filter((secret) => bytes.includes(secret))
        expect(found, name).toEqual([])
      }
      expect(stdout + stderr).not.toContain('sealed-')
    },
  )
  it('has its digest with a key that was there before the run', { tags: 'long' }, async () => {
    const { config, urls, run } = await makeDataset(await temporaryFolder())
    await fs.mkdir(run)
    await fs.writeFile(path.join(run, 'url-key'), 'too short\n')
    const refused = await runMain('run', config, `--out=${run}`)
    await fs.writeFile(path.join(run, 'url-key'), 'one key for all of our runs\n')

    await runMain('run', config, `--out=${run}`)

    expect(refused.code).toBe(65)
    expect(refused.stderr).toContain('at least 16')
    const { urlDigest } = (await readRejects(run)).find(({ row }) => row === 1)!
    expect(urlDigest).toBe(await hmac(run, urls[1]!))
  })
})
