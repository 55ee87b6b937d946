import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Finding } from '../../src/run/doctor.ts'
import { respond, startHostileServer } from '../helpers/hostile-server.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeWebDataset, redSquare } from '../helpers/toy-web.ts'

const TIMEOUT = { timeout: 200_000 }

async function doctor(...argv: string[]) {
  const { code, stdout } = await runMain('doctor', '--json', ...argv)
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
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
  })
  it('finds a resolver that does not answer', TIMEOUT, async () => {
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
