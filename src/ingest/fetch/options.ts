// Options of the section `fetch:`. Times are milliseconds, sizes bytes.

import ipaddr from 'ipaddr.js'
import { z } from 'zod'

const ms = (fallback: number) => z.number().int().min(1).max(3_600_000).default(fallback)

const bytes = (most: number) => z.number().int().min(1).max(most).default(33_554_432) // 32 MiB
const cidr = z.string().refine((text) => ipaddr.isValidCIDR(text), {
  error: (issue) => `${JSON.stringify(issue.input)} is no CIDR block such as "127.0.0.0/8"`,
})

const optOutSchema = z.strictObject({
  /** Directives of `X-Robots-Tag` that refuse an image; [] ignores the header. */
  xRobotsTag: z
    .array(z.string().toLowerCase())
    .default(['noai', 'noimageai', 'noindex', 'noimageindex', 'noml', 'none']),
  /** Honour `tdm-reservation: 1` and the site file /.well-known/tdmrep.json. */
  tdmReservation: z.boolean().default(true),
  /** Categories of `Content-Usage` (header and robots.txt) that refuse an image when they are "n". */
  contentUsage: z.array(z.string().toLowerCase()).default(['train-ai']),
  /** Signals of `Content-Signal` (robots.txt) that refuse an image when they are "no". */
  contentSignal: z.array(z.string().toLowerCase()).default(['ai-train']),
})

/** The section `fetch:`. */
export const fetchOptionsSchema = z.strictObject({
  /** URL or e-mail address of whoever runs this, sent in the user agent so that a site can complain. */
  contact: z
    .string()
    .regex(/^[\x21-\x27\x2a-\x7e]{3,200}$/, 'must be a URL or an e-mail address without spaces')
    .optional(),

  /** Requests in flight, all hosts together; lowered by itself while time-outs are frequent. */
  concurrency: z.number().int().min(1).max(1024).default(64),
  /** Requests in flight per registrable domain (example.co.uk). */
  perHost: z.number().int().min(1).max(1024).default(4),
  /** Requests started per second and registrable domain; 0 = no limit. */
  perHostPerSecond: z.number().min(0).max(10_000).default(20),

  connectTimeoutMs: ms(5_000),
  /** From the request to the end of the response's headers. */
  headersTimeoutMs: ms(10_000),
  /** One attempt with all its redirects, from the first connect to the last byte. */
  deadlineMs: ms(20_000),
  /** A body slower than this on average, after the grace period, is given up as "stalled". */
  minBytesPerSecond: z.number().int().min(0).default(1024),
  minRateGraceMs: ms(5_000),
  /** Largest encoded image, of every kind of reference. */
  maxBytes: bytes(2 ** 31),
  /**
   * Bytes of bodies that this process holds, from the first that arrives until the image is on disk.
   * A body that would exceed it waits, and its server with it; one at a time may come on top, so the
   * most is this plus maxBytes.
   */
  maxBytesInFlight: bytes(2 ** 40),

  maxRedirects: z.number().int().min(0).max(20).default(5),
  /** Follow a redirect from https to http. */
  allowDowngrade: z.boolean().default(false),

  /** Further attempts after a transient failure. */
  retries: z.number().int().min(0).max(10).default(2),
  /** Delay before attempt n + 1: random in [0, min(retryCapMs, retryBaseMs x 2^n)]. */
  retryBaseMs: ms(1_000),
  retryCapMs: ms(30_000),
  /** A longer `Retry-After` is not waited for: the row fails and its host is left alone that long. */
  maxRetryAfterMs: z.number().int().min(0).max(3_600_000).default(300_000),
  /** Consecutive failures of a host after which it is left alone for circuitCooldownMs. */
  circuitFailures: z.number().int().min(1).default(10),
  circuitCooldownMs: ms(60_000),

  /** Ports that may be asked; "any" is meant for tests on loopback. */
  ports: z
    .union([z.array(z.number().int().min(1).max(65_535)), z.literal('any')])
    .default([80, 443, 8080, 8443]),
  /**
   * Blocks that may be connected to although they are not global unicast, e.g. ["127.0.0.0/8"] for
   * a server on this machine or ["10.20.0.0/16"] for an image store of your own. Everything else
   * that is not global unicast stays refused. Only for URLs that you trust.
   */
  allowAddresses: z.array(cidr).default([]),
  /** Allow 64:ff9b::/96 when the IPv4 address inside is allowed (a machine with IPv6 through NAT64 only). */
  nat64: z.boolean().default(false),

  /**
   * File with PEM certificates to trust beside Node's list, e.g. of an image store of your own.
   * NODE_EXTRA_CA_CERTS and proxies of the environment are not used.
   */
  caFile: z.string().optional(),

  /** DNS servers ("1.1.1.1" or "127.0.0.1:5353"); [] = those of the system. /etc/hosts is not read. */
  dnsServers: z.array(z.string()).default([]),
  dnsTimeoutMs: ms(5_000),
  /** Ask for IPv6 addresses; "auto" = when this machine has a global one. */
  ipv6: z.union([z.boolean(), z.literal('auto')]).default('auto'),

  /** Obey robots.txt (RFC 9309). */
  robots: z.boolean().default(true),
  optOut: optOutSchema.prefault({}),

  /** ES modules that decide about rows, by path: see docs/hooks.md. */
  hooks: z.array(z.string()).default([]),
  /** File with one host name or URL prefix a line that is never fetched, nor redirected to. */
  blockUrls: z.string().optional(),
  /** File with one hex md5, sha1 or sha256 a line; an image with one of them is never written. */
  blockHashes: z.string().optional(),
})

/** Options of `fetch:` that change how an image is had, not which bytes it has. */
export const fetchVolatile: readonly string[] = [
  'contact',
  'concurrency',
  'perHost',
  'perHostPerSecond',
  'connectTimeoutMs',
  'headersTimeoutMs',
  'deadlineMs',
  'minBytesPerSecond',
  'minRateGraceMs',
  'maxBytesInFlight',
  'retries',
  'retryBaseMs',
  'retryCapMs',
  'maxRetryAfterMs',
  'circuitFailures',
  'circuitCooldownMs',
  'caFile',
  'dnsServers',
  'dnsTimeoutMs',
  'ipv6',
]

/** With defaults filled in. */
export type FetchOptions = z.output<typeof fetchOptionsSchema>
