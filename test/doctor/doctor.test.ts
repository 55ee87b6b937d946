import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import type { Check } from '../../src/doctor/check.ts'
import { diagnose } from '../../src/doctor/doctor.ts'
import { startDnsServer } from '../helpers/dns-server.ts'
import { respond, startHostileServer } from '../helpers/hostile-server.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset, redSquare } from '../helpers/toy-web.ts'

const LONG = { tags: 'long' }

const TIMEOUT = { timeout: 200_000 }

async function doctor(...argv: string[]) {
  const { code, stdout } = await runMain('doctor', '--json', ...argv)
  const { findings } = JSON.parse(stdout) as { findings: Check[] }
  return { code, of: (check: string) => findings.find((finding) => finding.check === check) }
}

describe('groundmill doctor', () => {
  it('tries the rows without labelling and says what is lost', TIMEOUT, async () => {
    const server = await startHostileServer({ '/x': respond(200, {}, await redSquare()) })
    onTestFinished(() => server.close())
    const folder = await temporaryFolder()
    const rows = ['/x?1', '/x?2', '/gone', '/x?3', '/x?4'].map((to) => ({ url: server.url(to) }))
    const config = await makeWebDataset(folder, [...rows, { url: server.url('/x?5'), caption: '' }])

    const { code, of } = await doctor(config, '--rows=6', `--out=${path.join(folder, 'run')}`)

    expect(code).toBe(0)
    expect(of('node')?.status).toBe('ok')
    expect(of('disk')?.detail).toContain(`GB free in ${folder}`)
    expect(of('teacher')).toMatchObject({ status: 'ok' })
    expect(of('dataset')?.detail).toContain('6 rows read')
    expect(of('resolver')?.detail).toBe('no host names in these rows')
    expect(of('rows')).toMatchObject({ status: 'ok' })
    expect(of('rows')?.detail).toContain('4 of 6 would reach the teacher')
    expect(of('rows')?.detail).toContain('http_4xx 1 (HTTP 404)')
    expect(of('dataset')?.detail).toContain('url = "url" (guessed), caption = "caption" (guessed)')
    expect(of('egress')).toMatchObject({ status: 'ok' })
    expect(of('egress')?.detail).toContain('IPv4: 1 of 1 hosts connect')
    expect(of('robots')?.detail).toMatch(/^1 hosts for 6 rows: 0 have a robots.txt, 1 have none/)
    expect(of('clock')?.detail).toContain('no server told its time')
  })
  it('compares the clock with servers and counts what their robots.txt say', LONG, async () => {
    const date = new Date(Date.now() + 2 * 3_600_000).toUTCString()
    const image = respond(200, { date }, await redSquare())
    const robots = [
      respond(200, { date }, 'User-agent: *\nDisallow: /private'),
      respond(404, { date }),
      respond(500, { date }),
    ]
    const servers = await Promise.all(
      robots.map((answer, index) =>
        startHostileServer(
          { '/x': image, '/private/x': image, '/robots.txt': answer },
          `127.0.0.${index + 1}`,
        ),
      ),
    )
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.close()))
    })
    const [first, ...others] = servers
    const urls = [first!.url('/private/x'), ...servers.map((server) => server.url('/x'))]
    const config = await makeWebDataset(
      await temporaryFolder(),
      urls.map((url) => ({ url })),
      { fetch: { allowAddresses: ['127.0.0.0/8'] } },
    )

    const { code, of } = await doctor(config)

    expect(code).toBe(1)
    expect(others).toHaveLength(2)
    expect(of('egress')?.detail).toContain('IPv4: 3 of 3 hosts connect')
    expect(of('robots')).toMatchObject({
      status: 'warn',
      detail: expect.stringMatching(
        /^3 hosts for 4 rows: 1 have a robots.txt, 1 have none, 1 could not give it; median \d+ ms, slowest \d+ ms; 1 hosts refuse 1 rows$/,
      ),
      advice: expect.stringMatching(/retry-failed later; that is to be respected/),
    })
    expect(of('clock')).toMatchObject({ status: 'fail', advice: expect.stringContaining('NTP') })
    expect(of('clock')?.detail).toMatch(/; 71\d\d\.\d s behind 3 servers \(median\)$/)
  })
  it('measures the resolver against what a run asks for', LONG, async () => {
    const server = await startHostileServer({ '/x': respond(200, {}, await redSquare()) })
    onTestFinished(() => server.close())
    const urls = Array.from({ length: 12 }, (_, index) => server.url('/x', `h${index}.test`))
    const quick = await startDnsServer(() => '127.0.0.1')
    const slow = await startDnsServer(() => '127.0.0.1', 60)
    const config = await makeWebDataset(
      await temporaryFolder(),
      urls.map((url) => ({ url })),
      { fetch: { ipv6: false, concurrency: 64 } },
    )
    const resolver = async ({ address }: { readonly address: string }, concurrency: number) => {
      const settings = [`fetch.dnsServers=["${address}"]`, `fetch.concurrency=${concurrency}`]
      return (await doctor(config, ...settings.map((one) => `--set=${one}`))).of('resolver')
    }

    const fine = await resolver(quick, 1)
    const short = await resolver(slow, 512)

    expect(fine).toMatchObject({ status: 'ok' })
    expect(fine?.detail).toMatch(
      /^12 of 12 names answered, median \d+ ms, slowest \d+ ms, \d+ names\/s; a run here asks for up to \d+\/s$/,
    )
    expect(short).toMatchObject({
      status: 'warn',
      advice: expect.stringContaining('fetch.dnsServers'),
    })
    // 60 ms each, one after the other.
    expect(Number(/(\d+) names\/s/.exec(short!.detail)?.[1])).toBeLessThan(20)
  })
  it('says when there is no way out, and that a proxy is not used', LONG, async () => {
    // Nobody listens on this port of loopback.
    const config = await makeWebDataset(await temporaryFolder(), [{ url: 'http://127.0.0.1:9/x' }])
    vi.stubEnv('HTTPS_PROXY', 'http://127.0.0.1:3128')
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })

    const { code, of } = await doctor(config)

    expect(code).toBe(1)
    expect(of('egress')).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(
        /IPv4: 0 of 1 hosts connect; .*HTTPS_PROXY.* set, which is not used/,
      ),
      advice: expect.stringContaining('behind the guard'),
    })
  })
  it('ends in time whoever is silent', LONG, async () => {
    const server = await startHostileServer({
      '/x': () => undefined,
      '/robots.txt': respond(404, {}),
    })
    onTestFinished(() => server.close())
    const rows = Array.from({ length: 40 }, (_, index) => ({ url: server.url(`/x?${index}`) }))
    const config = await loadConfig(await makeWebDataset(await temporaryFolder(), rows))
    const findings: Check[] = []

    const { signal } = new AbortController()
    for await (const finding of diagnose({
      config,
      rows: 40,
      folder: '.',
      limitMs: 3000,
      signal,
    })) {
      findings.push(finding)
    }

    expect(findings.find(({ check }) => check === 'rows')).toMatchObject({
      status: 'fail',
      detail: '0 of 40 would reach the teacher; 40 were not done in time',
    })
  })
  it('finds a resolver that does not answer', LONG, async () => {
    const config = await makeWebDataset(
      await temporaryFolder(),
      [{ url: 'http://name.test/x.jpg' }],
      // Nobody listens on this port of loopback.
      { fetch: { dnsServers: ['127.0.0.1:9'], dnsTimeoutMs: 300, retries: 0 } },
    )

    const { code, of } = await doctor(config)

    expect(code).toBe(1)
    expect(of('resolver')).toMatchObject({
      status: 'fail',
      detail: '0 of 1 names answered',
      advice: expect.stringContaining('fetch.dnsServers'),
    })
    expect(of('rows')).toMatchObject({ status: 'fail' })
  })
  it('names a dataset that is not there', TIMEOUT, async () => {
    const config = await makeWebDataset(await temporaryFolder(), [])

    const { code, of } = await doctor(config, '--set=source.files=/nowhere/x.jsonl')

    expect(code).toBe(1)
    expect(of('dataset')?.detail).toContain('/nowhere/x.jsonl')
  })
})
