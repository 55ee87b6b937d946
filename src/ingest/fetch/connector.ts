// Connections to checked addresses alone, over certificates that are known.

import { readFileSync } from 'node:fs'
import { createSecureContext, rootCertificates } from 'node:tls'
import { buildConnector } from 'undici'
import { ConfigError, SampleError, messageOf } from '../../core/errors.ts'
import { isAddress, stripBrackets, type AddressRule } from './guard.ts'
import type { ResolvedAddress, Resolver } from './resolver.ts'

/** Where a connection may lead, and whom it trusts. */
export interface ConnectorOptions {
  readonly connectTimeoutMs: number
  readonly rule: AddressRule
  readonly resolve: Resolver
  /** PEM certificates to trust instead of the built-in list and `caFile`. */
  readonly ca?: string | undefined
  /** File with PEM certificates to trust beside the built-in list. */
  readonly caFile?: string | undefined
}

/**
 * Connects to checked addresses only. A literal never reaches the lookup hook, so it is judged here;
 * a name is resolved by our resolver alone, whose answers are checked, and the socket gets those.
 *
 * @throws ConfigError if caFile cannot be read or holds no certificate
 */
export function guardedConnector(options: ConnectorOptions): buildConnector.connector {
  const authorities = options.ca ?? [...rootCertificates, ...readCertificates(options.caFile)]
  const connectorOptions: buildConnector.BuildOptions = {
    timeout: options.connectTimeoutMs,
    allowH2: false,
    lookup: (host, { all, family }, callback) => {
      options.resolve(host).then(
        (addresses) => {
          const fitting = addresses.filter((entry) => fits(entry, family))
          const first = fitting[0]
          if (first === undefined)
            callback(new Error(`no address of family ${family} for ${host}`), '')
          else if (all === true) callback(null, [...fitting])
          else callback(null, first.address, first.family)
        },
        (error: unknown) => {
          callback(error as NodeJS.ErrnoException, '')
        },
      )
    },
  }
  const connectPlain = buildConnector(connectorOptions)
  let connectSecure: buildConnector.connector | undefined
  const connect: buildConnector.connector = (target, callback) => {
    if (target.protocol !== 'https:') {
      connectPlain(target, callback)
      return
    }
    // Made once, since to parse the list takes 40 ms; and given, because Node's own default has the
    // certificates of NODE_EXTRA_CA_CERTS in it.
    connectSecure ??= buildConnector({
      ...connectorOptions,
      secureContext: createSecureContext({ ca: authorities }),
    })
    connectSecure(target, callback)
  }
  return (target, callback) => {
    const host = stripBrackets(target.hostname)
    const reason = isAddress(host) ? options.rule(host) : undefined
    if (reason === undefined) connect(target, callback)
    else callback(new SampleError('addr_blocked', `${host} is ${reason}`, { host }), null)
  }
}

function readCertificates(file: string | undefined): string[] {
  if (file === undefined) return []
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigError(`fetch.caFile: ${messageOf(error)}`, { cause: error })
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return [text]
  throw new ConfigError(`fetch.caFile: ${file} holds no certificate in PEM`)
}

function fits(entry: ResolvedAddress, family: number | string | undefined): boolean {
  if (family === undefined || family === 0) return true
  return entry.family === (family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : family)
}
