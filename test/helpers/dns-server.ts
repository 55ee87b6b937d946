// A DNS server on loopback that knows every name and answers questions one after the other.

import dgram from 'node:dgram'
import net from 'node:net'
import { onTestFinished } from 'vitest'

export interface DnsServer {
  /** For `fetch.dnsServers`. */
  readonly address: string
}

/**
 * @param addressOf an IPv4 address, another name (which becomes a CNAME and is answered too), or
 *   undefined: rubbish is sent
 * @param msPerAnswer how long it works on each question
 */
export async function startDnsServer(
  addressOf: (name: string) => string | undefined,
  msPerAnswer = 0,
): Promise<DnsServer> {
  const socket = dgram.createSocket('udp4')
  let free = 0
  socket.on('message', (query, from) => {
    free = Math.max(free, Date.now()) + msPerAnswer
    setTimeout(() => {
      socket.send(answerTo(query, addressOf), from.port, from.address)
    }, free - Date.now())
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    socket.close()
  })
  return { address: `127.0.0.1:${socket.address().port}` }
}

function answerTo(query: Buffer, addressOf: (name: string) => string | undefined): Buffer {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const isA = query.readUInt16BE(at + 1) === A
  const records: Buffer[] = []
  let name = labels.join('.')
  for (let hops = 0; hops < 8; hops++) {
    const target = addressOf(name)
    if (target === undefined) return Buffer.concat([query.subarray(0, 2), Buffer.alloc(40, 0xff)])
    if (net.isIPv4(target)) {
      if (isA) records.push(record(name, A, Buffer.from(target.split('.').map(Number))))
      break
    }
    records.push(record(name, CNAME, encodeName(target)))
    name = target
  }
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, query.subarray(12, at + 5), ...records])
}

const A = 1
const CNAME = 5

/** Of class IN, with a minute to live. */
function record(name: string, type: number, content: Buffer): Buffer {
  const fixed = Buffer.from([0, type, 0, 1, 0, 0, 0, 60, 0, content.length])
  return Buffer.concat([encodeName(name), fixed, content])
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), label]),
    Buffer.from([0]),
  ])
}
