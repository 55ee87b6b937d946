import { describe, expect, it } from 'vitest'
import { createCircuits } from '../../../src/ingest/fetch/circuit.ts'

const LIMITS = { circuitFailures: 3, circuitCooldownMs: 1000 }

describe('createCircuits', () => {
  it('opens after consecutive failures and lets one caller try after the cool-down', () => {
    let now = 0
    const circuits = createCircuits(LIMITS, () => now)

    circuits.failed('h')
    circuits.failed('h')
    circuits.succeeded('h')
    circuits.failed('h')
    circuits.failed('h')
    expect(circuits.remaining('h')).toBe(0)
    circuits.failed('h')
    expect(circuits.remaining('h')).toBe(1000)
    expect(circuits.remaining('other')).toBe(0)

    now = 1000
    expect(circuits.remaining('h')).toBe(0)
    expect(circuits.remaining('h')).toBe(1000)
    circuits.succeeded('h')
    expect(circuits.remaining('h')).toBe(0)
    expect(circuits.remaining('h')).toBe(0)
  })
  it('keeps a pause that was asked for over an answer that was under way', () => {
    let now = 0
    const circuits = createCircuits(LIMITS, () => now)

    circuits.park('h', 5000)
    circuits.succeeded('h')
    expect(circuits.remaining('h')).toBe(5000)
    now = 5000
    expect(circuits.remaining('h')).toBe(0)
  })
})
