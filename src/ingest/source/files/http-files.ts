// Files on web servers, by range requests and resumable streams. The addresses stand in the user's
// config, but a redirect or a name may lead anywhere: the guard of image URLs holds here too.

import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request, type Dispatcher } from 'undici'
import { InputError, SampleError, ShardError } from '../../../core/errors.ts'
import { retryOf } from '../../../core/reasons.ts'
import type { FetchOptions } from '../../fetch/options.ts'
import { userAgent } from '../../fetch/fetcher.ts'
import { createAddressRule, localAddresses, parseTarget } from '../../fetch/guard.ts'
import { createResolver } from '../../fetch/resolver.ts'
import { parseRetryAfter } from '../../fetch/retry-after.ts'
import { guardedConnector } from '../../fetch/connector.ts'
import type { Network } from './files.ts'
import {
  ATTEMPTS,
  STALL_MS,
  causeOf,
  createRangedFiles,
  rangeOf,
  totalSize,
  type RangeAnswer,
  type RangedFiles,
  type RangeRequest,
} from './ranged-files.ts'

const MAX_PAUSE_MS = 60_000

/** The guard, time-outs and redirects are those of `fetch:`. */
export function createHttpFiles({
  fetch,
  deps = {},
}: Network): RangedFiles & { close(): Promise<void> } {
  const rule = createAddressRule({ ...fetch, ownAddresses: localAddresses() })
  const agent = new Agent({
    connect: guardedConnector({
      connectTimeoutMs: fetch.connectTimeoutMs,
      rule,
      ca: deps.ca,
      caFile: fetch.caFile,
      resolve: createResolver({ ...fetch, rule }, { query: deps.query }),
    }),
    connections: 8,
    pipelining: 1,
    headersTimeout: fetch.headersTimeoutMs,
    bodyTimeout: STALL_MS,
    keepAliveTimeout: 1_000,
    keepAliveMaxTimeout: 1_000,
  })
  const web: Web = {
    ...fetch,
    agent,
    target: (url, base) => parseTarget(url, { ports: fetch.ports, rule, base }),
  }
  return {
    ...createRangedFiles((asked) => askWithRetries(web, asked), fetch.retryBaseMs),
    close: () => agent.destroy(),
  }
}

interface Web extends FetchOptions {
  readonly agent: Agent
  /** @throws SampleError for what must not be asked */
  readonly target: (url: string, base?: URL) => URL
}

/** @throws as an Ask does */
async function askWithRetries(web: Web, asked: RangeRequest): Promise<RangeAnswer> {
  const { path, signal } = asked
  for (let attempt = 1; ; attempt++) {
    try {
      return await askOnce(web, asked)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SampleError && retryOf(error.code) === 'never') {
        throw new InputError(`${path}: ${error.code}: ${error.message}`, { cause: error })
      }
      if (error instanceof InputError || error instanceof ShardError) throw error
      if (attempt === ATTEMPTS) {
        throw new ShardError(`cannot read ${path}: ${causeOf(error)}`, { cause: error })
      }
      const wanted = error instanceof Busy ? error.retryAfterMs : undefined
      const pause = Math.min(MAX_PAUSE_MS, wanted ?? web.retryBaseMs * 2 ** attempt)
      await sleep(pause, undefined, { signal })
    }
  }
}

/** An answer that may be another one later. */
class Busy extends Error {
  readonly retryAfterMs: number | undefined

  constructor(message: string, retryAfterMs: number | undefined) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

async function askOnce(web: Web, { path, start, end, signal }: RangeRequest): Promise<RangeAnswer> {
  let url = web.target(path)
  for (let hops = 0; hops <= web.maxRedirects; hops++) {
    const response = await request(url, {
      dispatcher: web.agent,
      signal,
      headers: {
        'user-agent': userAgent(web.contact),
        'accept-encoding': 'identity',
        range: rangeOf(start, end),
      },
    })
    const { statusCode, headers, body } = response
    const location = headers['location']
    if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') {
      await body.dump()
      const next = web.target(location, url)
      if (url.protocol === 'https:' && next.protocol === 'http:' && !web.allowDowngrade) {
        throw new InputError(`${path}: redirected from https to ${next.href}`)
      }
      url = next
      continue
    }
    if (statusCode === 200 || statusCode === 206 || statusCode === 416) {
      return toAnswer(path, response)
    }
    await body.dump()
    const status = `HTTP ${statusCode}`
    if (statusCode === 429 || statusCode >= 500) {
      throw new Busy(status, parseRetryAfter(headers['retry-after'], Date.now()))
    }
    throw new InputError(`${path}: ${status}`)
  }
  throw new InputError(`${path}: more than ${web.maxRedirects} redirects`)
}

function toAnswer(path: string, response: Dispatcher.ResponseData): RangeAnswer {
  const { statusCode, headers, body } = response
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    body.on('error', () => undefined).destroy()
    throw new InputError(`${path}: sent with content-encoding ${String(encoding)}`)
  }
  const contentRange = statusCode === 200 ? undefined : String(headers['content-range'] ?? '')
  const size = totalSize(contentRange, headers['content-length']?.toString())
  const etag = headers['etag'] ?? headers['last-modified']
  return {
    body,
    description: { size, ...(typeof etag === 'string' ? { etag } : {}) },
    isPartial: statusCode !== 200,
    isPastEnd: statusCode === 416,
  }
}
