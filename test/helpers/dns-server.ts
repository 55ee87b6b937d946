// A DNS server on loopback that knows every name and answers questions one after the other.

import dgram from 'node:dgram'
import { onTestFinished } from 'vitest'

export interface DnsServer {
  /** For `fetch.dnsServers`. */
  readonly address: string
}

/** @param msPerAnswer how long it works on each question */
export async function startDnsServer(
  addressOf: (name: string) => string,
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

function answerTo(query: Buffer, addressOf: (name: string) => string): Buffer {
  const labels: string[] = []
  let at = 12
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const type = query.readUInt16BE(at + 1)
  const question = query.subarray(12, at + 5)
  const isA = type === 1
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(isA ? 1 : 0, 6)
  const address = addressOf(labels.join('.')).split('.').map(Number)
  // The name by a pointer to the question, type A, class IN, 60 s, four bytes.
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address]
  return Buffer.concat([header, question, ...(isA ? [Buffer.from(record)] : [])])
}
