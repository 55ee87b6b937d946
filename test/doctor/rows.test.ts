import { describe, expect, it } from 'vitest'
import { createLosses, judgeRows } from '../../src/doctor/rows.ts'

const tried = (count: number, kept: number, late = 0) => ({ count, kept, late })

describe('judgeRows', () => {
  it('names the losses, the most frequent first, and what to do', () => {
    const losses = createLosses()
    losses.add({ code: 'http_4xx', detail: 'HTTP 404' })
    losses.add({ code: 'connect_refused', detail: 'ECONNREFUSED' })
    losses.add({ code: 'connect_refused', detail: 'ECONNREFUSED' })

    expect(judgeRows(tried(10, 7), losses.byCode)).toEqual({
      check: 'rows',
      status: 'ok',
      detail:
        '7 of 10 would reach the teacher; connect_refused 2 (ECONNREFUSED); http_4xx 1 (HTTP 404)',
    })
    expect(judgeRows(tried(10, 4), losses.byCode)).toMatchObject({
      status: 'warn',
      advice: expect.stringMatching(/^connect_refused: check the firewall .*; http_4xx: /),
    })
  })
  it('fails when nothing is left, and says what there was no time for', () => {
    expect(judgeRows(tried(3, 0, 3), new Map())).toEqual({
      check: 'rows',
      status: 'fail',
      detail: '0 of 3 would reach the teacher; 3 were not done in time',
      advice: 'the network here is slow, or the hosts are: see egress and resolver',
    })
  })
})

describe('createLosses', () => {
  it('tells hosts that refuse from those that are silent', () => {
    const losses = createLosses()

    losses.add({ code: 'robots_disallowed', detail: 'no', host: 'a.test' })
    losses.add({ code: 'robots_disallowed', detail: 'no', host: 'a.test' })
    losses.add({ code: 'robots_unreachable', detail: 'late', host: 'b.test' })
    losses.add({ code: 'http_4xx', detail: 'HTTP 404', host: 'c.test' })

    expect(losses.robots()).toEqual({
      unreachable: new Set(['b.test']),
      refusingHosts: new Set(['a.test']),
      refusedRows: 2,
    })
  })
})
