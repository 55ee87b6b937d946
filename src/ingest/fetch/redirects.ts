// A URL and where it leads, with the whole guard on each hop and one deadline for all of them.

import { SampleError } from '../../core/errors.ts'
import { parseTarget, type TargetRules } from './guard.ts'
import type { FetchOptions } from './options.ts'
import type { GetOptions, Head, Response } from './transport.ts'

/** One request: of a row, or of a redirect. */
export type RequestHop = (url: URL, get: GetOptions) => Promise<Response>

/** What is asked for, whatever URL it is found at. */
export interface FollowOptions extends Omit<GetOptions, 'deadlineMs'> {
  /** Throws for a URL that must not be asked. */
  readonly before?: (url: URL) => Promise<void>
}

/** Asks, and asks again where a redirect leads; of redirects only `before` is told. */
export type Follow = (start: URL, ask: FollowOptions) => Promise<Response>

/** What redirects are held to. */
export type RedirectRules = TargetRules &
  Pick<FetchOptions, 'deadlineMs' | 'maxRedirects' | 'allowDowngrade'>

/** @returns throws SampleError: redirect_limit, redirect_blocked, deadline, or what a hop throws */
export function createFollow(rules: RedirectRules, requestHop: RequestHop): Follow {
  const { deadlineMs, maxRedirects } = rules
  return async (start, { before, onHeaders, ...get }) => {
    let url = start
    let leftMs = deadlineMs
    for (let hops = 0; ; hops++) {
      if (leftMs <= 0) throw new SampleError('deadline', `not done in ${deadlineMs} ms`)
      let target: string | undefined
      try {
        await before?.(url)
        const response = await requestHop(url, {
          ...get,
          deadlineMs: Math.min(leftMs, deadlineMs),
          onHeaders: (head) => {
            target = redirectTarget(head)
            return target === undefined && onHeaders(head)
          },
        })
        if (target === undefined) return response
        leftMs -= response.tookMs
      } catch (error) {
        throw hops === 0 ? error : asRedirectError(error, url)
      }
      if (hops === maxRedirects) {
        const host = url.hostname
        throw new SampleError('redirect_limit', `more than ${maxRedirects} redirects`, { host })
      }
      url = redirectTo(target, { ...rules, base: url })
    }
  }
}

/** The Location of a redirect; undefined for every other answer. */
function redirectTarget({ status, headers }: Head): string | undefined {
  if (![301, 302, 303, 307, 308].includes(status)) return undefined
  const location = headers['location']
  return typeof location === 'string' && location !== '' ? location : undefined
}

function redirectTo(target: string, rules: RedirectRules & { readonly base: URL }): URL {
  const from = rules.base
  let url: URL
  try {
    url = parseTarget(target, rules)
  } catch (error) {
    throw asRedirectError(error, from)
  }
  if (from.protocol === 'https:' && url.protocol === 'http:' && !rules.allowDowngrade) {
    const host = from.hostname
    throw new SampleError('redirect_blocked', `from https to ${url.href}`, { host })
  }
  return url
}

// What the guard refuses on a later hop was asked for by the redirecting server, not by the dataset.
const GUARD = /^(url_|addr_blocked)/

function asRedirectError(error: unknown, url: URL): unknown {
  if (!(error instanceof SampleError) || !GUARD.test(error.code)) return error
  return new SampleError('redirect_blocked', `${error.code}: ${error.message}`, {
    ...error.context,
    host: url.hostname,
    cause: error,
  })
}
