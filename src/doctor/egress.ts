// The way out of this machine: connections to the hosts of the rows that are tried.

import { once } from 'node:events'
import net from 'node:net'
import { isAddress } from '../ingest/fetch/guard.ts'
import type { FetchOptions } from '../ingest/fetch/options.ts'
import { asksIpv6 } from '../ingest/fetch/resolver.ts'
import type { Check } from './check.ts'
import type { Lookups } from './resolver.ts'

/** Hosts that are connected to. */
const MAX_HOSTS = 50
const PROXIES = ['http_proxy', 'https_proxy', 'all_proxy']

/** Opens a connection to each host over each family, and says nothing on it. */
export async function checkEgress(
  { targets, urls, names, answered }: Lookups,
  options: FetchOptions & { readonly env: NodeJS.ProcessEnv },
): Promise<Check> {
  const check = 'egress'
  const proxies = Object.entries(options.env)
    .filter(([name, value]) => PROXIES.includes(name.toLowerCase()) && value !== '')
    .map(([name]) => name)
  const proxyNote =
    proxies.length === 0 ? [] : [`${proxies.sort().join(' and ')} set, which is not used`]
  if (urls === 0) {
    const detail = ['these rows need no network', ...proxyNote].join('; ')
    return { check, status: 'ok', detail }
  }
  const hosts = targets.slice(0, MAX_HOSTS)
  const tried = await Promise.all(
    hosts.flatMap(({ addresses, port }) =>
      ([4, 6] as const).flatMap((family) => {
        const first = addresses.find((address) => address.family === family)
        if (first === undefined) return []
        const target = { host: first.address, port, timeout: options.connectTimeoutMs }
        return connects(target).then((ok) => ({ family, ok }))
      }),
    ),
  )
  const of = (family: 4 | 6) => {
    const all = tried.filter((one) => one.family === family)
    return { tried: all.length, ok: all.filter(({ ok }) => ok).length }
  }
  const [v4, v6] = [of(4), of(6)]
  const unresolved = names - (targets.length - targets.filter(({ host }) => isAddress(host)).length)
  const detail = [
    v4.tried === 0 ? 'IPv4: no host has an address' : `IPv4: ${v4.ok} of ${v4.tried} hosts connect`,
    v6.tried > 0
      ? `IPv6: ${v6.ok} of ${v6.tried}`
      : asksIpv6(options)
        ? 'IPv6: no host has an address'
        : options.ipv6 === 'auto'
          ? 'IPv6: not asked for, this machine has no global address'
          : 'IPv6: not asked for (fetch.ipv6)',
    ...(unresolved > 0 ? [`${unresolved} names without an allowed address`] : []),
    ...proxyNote,
  ].join('; ')

  const connected = v4.ok + v6.ok
  if (connected === 0) {
    const advice =
      proxies.length > 0
        ? 'nothing can be reached without the proxy. It is not used because it would look names up ' +
          'behind the guard: run where hosts can be reached directly'
        : tried.length === 0
          ? answered === 0
            ? 'nothing to connect to without a resolver: is this machine online?'
            : 'the resolver knows none of these names: it is one without the internet, or the hosts are gone'
          : 'no way out: check the network and that the firewall lets ports 80 and 443 out'
    return { check, status: 'fail', detail, advice }
  }
  if (v6.tried > 0 && v6.ok === 0) {
    const advice = 'IPv6 leads nowhere and costs every connection time: set fetch.ipv6: false'
    return { check, status: 'warn', detail, advice }
  }
  if (connected < tried.length / 2) {
    const advice = 'many hosts do not connect: check the firewall, or the dataset is old'
    return { check, status: 'warn', detail, advice }
  }
  return { check, status: 'ok', detail }
}

async function connects(target: net.TcpNetConnectOpts): Promise<boolean> {
  const socket = net.connect(target)
  socket.once('timeout', () => socket.destroy(new Error('no connection in time')))
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
