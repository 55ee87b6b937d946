import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config.ts'
import { ConfigError } from '../../../src/core/errors.ts'
import { fetchOptionsSchema, fetchVolatile } from '../../../src/ingest/fetch/options.ts'

describe('fetchOptionsSchema', () => {
  it('is careful unless it is told otherwise', () => {
    expect(fetchOptionsSchema.parse({})).toMatchObject({
      perHost: 4,
      maxBytes: 32 * 2 ** 20,
      maxRedirects: 5,
      allowDowngrade: false,
      ports: [80, 443, 8080, 8443],
      allowAddresses: [],
      nat64: false,
      robots: true,
      optOut: {
        xRobotsTag: ['noai', 'noimageai', 'noindex', 'noimageindex', 'noml', 'none'],
        tdmReservation: true,
        contentUsage: ['train-ai'],
        contentSignal: ['ai-train'],
      },
    })
  })

  it('compares directives in lower case', () => {
    const { optOut } = fetchOptionsSchema.parse({ optOut: { xRobotsTag: ['NoAI'] } })

    expect(optOut.xRobotsTag).toEqual(['noai'])
    expect(optOut.contentUsage).toEqual(['train-ai'])
  })

  it.each(['https://example.org/bot', 'us@example.org'])('takes %s for a contact', (contact) => {
    expect(fetchOptionsSchema.parse({ contact })).toMatchObject({ contact })
  })

  it('has every option that is said to change no bytes', () => {
    expect(Object.keys(fetchOptionsSchema.shape)).toEqual(
      expect.arrayContaining([...fetchVolatile]),
    )
  })

  it.each([
    // It goes into a comment of the user agent: "(+contact)".
    ['contact="me and you"', /fetch\.contact: must be a URL or an e-mail address without spaces/],
    ['contact="a)b@example.org"', /fetch\.contact: must be a URL or an e-mail address/],
    ['contact="a\\r\\nx: y"', /fetch\.contact: must be a URL or an e-mail address/],
    ['concurrency=1025', /fetch\.concurrency: .*1024; given: 1025/],
    ['perHost=0', /fetch\.perHost: /],
    ['deadlineMs=3600001', /fetch\.deadlineMs: .*3600000/],
    ['maxBytes=2147483649', /fetch\.maxBytes: .*2147483648/],
    ['maxRedirects=21', /fetch\.maxRedirects: /],
    ['retries=-1', /fetch\.retries: /],
    ['ports=[0]', /fetch\.ports\.0: .*1; given: 0/],
    ['ports=all', /fetch\.ports: /],
    [
      'allowAddresses=[10.0.0.0/33]',
      /fetch\.allowAddresses\.0: "10\.0\.0\.0\/33" is no CIDR block such as "127\.0\.0\.0\/8"/,
    ],
    ['allowAddresses=[127.0.0.1]', /"127\.0\.0\.1" is no CIDR block/],
    ['ipv6=maybe', /fetch\.ipv6: /],
    ['optOut.robotsTag=[]', /fetch\.optOut\.robotsTag: unknown key; did you mean "xRobotsTag"\?/],
  ])('refuses %s and says why', async (setting, message) => {
    const loading = loadConfig(undefined, [`fetch.${setting}`])

    await expect(loading).rejects.toThrow(ConfigError)
    await expect(loading).rejects.toThrow(message)
  })
})
