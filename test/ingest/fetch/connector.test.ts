import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { guardedConnector } from '../../../src/ingest/fetch/connector.ts'
import { createAddressRule } from '../../../src/ingest/fetch/guard.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const options = {
  connectTimeoutMs: 1000,
  rule: createAddressRule({ allowAddresses: [], nat64: false, ownAddresses: [] }),
  resolve: () => Promise.reject(new Error('not asked')),
}

describe('guardedConnector', () => {
  it.each(['127.0.0.1', '[::1]', '169.254.169.254'])('does not connect to %s', async (hostname) => {
    const connect = guardedConnector(options)

    const error = await new Promise((resolve) => {
      connect({ hostname, protocol: 'http:', port: '80' }, (...args) => resolve(args[0]))
    })

    expect(error).toMatchObject({ code: 'addr_blocked' })
  })
  it('refuses a file without a certificate, and one that is not there', async () => {
    const caFile = path.join(await temporaryFolder(), 'ca.pem')

    expect(() => guardedConnector({ ...options, caFile })).toThrow(/^fetch.caFile: .*ENOENT/)
    await fs.writeFile(caFile, 'no certificate')
    expect(() => guardedConnector({ ...options, caFile })).toThrow('holds no certificate in PEM')
  })
})
