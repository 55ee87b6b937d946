// robots.txt after RFC 9309, with the lines `Content-Usage` (IETF AI preferences, a draft) and
// `Content-Signal` (Cloudflare). Pure: text in, decisions out.

import { matchesPath, normalisePath } from './path-pattern.ts'

/** The product token, as robots.txt and X-Robots-Tag name us; in lower case. */
export const PRODUCT_TOKEN = 'groundmill'

/** Which preferences count as a refusal; names in lower case. */
export interface RobotsPreferences {
  /** Categories of Content-Usage that refuse when their value is "n". */
  readonly contentUsage: readonly string[]
  /** Signals of Content-Signal that refuse when their value is "no". */
  readonly contentSignal: readonly string[]
}

/** What a robots.txt says to us. */
export interface Robots {
  /** Whether the path with its query may be fetched: the longest rule wins, Allow wins a tie. */
  isAllowed(path: string): boolean
  /** The preference line that refuses the use of what is at the path, e.g. "content-signal: ai-train=no". */
  refusal(path: string, preferences: RobotsPreferences): string | undefined
}

interface Rule {
  readonly allow: boolean
  readonly pattern: string
}

interface Preference {
  readonly name: 'content-usage' | 'content-signal'
  /** Normalised pattern; '' applies everywhere. */
  readonly pattern: string
  readonly values: ReadonlyMap<string, string>
}

interface Group {
  readonly agents: string[]
  readonly rules: Rule[]
  readonly preferences: Preference[]
}

/** Groups that name our product token are merged, else those of "*" hold. */
export function parseRobots(text: string): Robots {
  const groups = parseGroups(text)
  const own = groups.filter((group) => group.agents.includes(PRODUCT_TOKEN))
  const chosen = own.length > 0 ? own : groups.filter((group) => group.agents.includes('*'))
  // Preferences above the first group are meant for everybody.
  const general = groups.filter((group) => group.agents.length === 0)
  const rules = chosen.flatMap((group) => group.rules)
  const preferences = [...general, ...chosen].flatMap((group) => group.preferences)
  return {
    isAllowed: (path) => decide(rules, normalisePath(path)),
    refusal: (path, wanted) => {
      const normal = normalisePath(path)
      const matching = preferences.filter(({ pattern }) => matchesPath(pattern, normal))
      return refusingLine(matching, wanted)
    },
  }
}

function parseGroups(text: string): Group[] {
  const groups: Group[] = []
  const addGroup = (): Group => {
    const group: Group = { agents: [], rules: [], preferences: [] }
    groups.push(group)
    return group
  }
  let group = addGroup()
  let inAgents = false
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)) {
    const [, name = '', value = ''] = /^\s*([A-Za-z-]+)\s*:\s*([^#]*)/.exec(line) ?? []
    const field = name.toLowerCase()
    if (field === 'user-agent') {
      if (!inAgents) group = addGroup()
      inAgents = true
      const [agent] = /^(\*|[a-z_-]*)/.exec(value.trim().toLowerCase())!
      group.agents.push(agent)
    } else if (field === 'allow' || field === 'disallow') {
      inAgents = false
      const pattern = normalisePath(value.trim())
      // An empty rule matches nothing (RFC 9309, 2.2.2), a rule outside a group has no meaning.
      if (pattern !== '' && group.agents.length > 0) {
        group.rules.push({ allow: field === 'allow', pattern })
      }
    } else if (field === 'content-usage' || field === 'content-signal') {
      inAgents = false
      const [, path = '', list = ''] = /^([/*]\S*)?\s*(.*)$/.exec(value.trim()) ?? []
      const pattern = normalisePath(path)
      group.preferences.push({ name: field, pattern, values: parsePreferences(list) })
    }
  }
  return groups
}

/** "train-ai=n, search=y;q=1" -> {"train-ai": "n", "search": "y"}; names and values in lower case. */
export function parsePreferences(list: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  for (const item of list.split(',')) {
    const [, name, value] = /^\s*([\w*.-]+)\s*=\s*"?([\w?-]+)/.exec(item) ?? []
    if (name !== undefined && value !== undefined) {
      values.set(name.toLowerCase(), value.toLowerCase())
    }
  }
  return values
}

function decide(rules: readonly Rule[], path: string): boolean {
  let longest = -1
  let allowed = true
  for (const { allow, pattern } of rules) {
    if (pattern.length < longest || !matchesPath(pattern, path)) continue
    allowed = pattern.length === longest ? allowed || allow : allow
    longest = pattern.length
  }
  return allowed
}

function refusingLine(lines: readonly Preference[], wanted: RobotsPreferences): string | undefined {
  const asked = [
    ...wanted.contentUsage.map((key) => ({ name: 'content-usage', key, no: 'n' })),
    ...wanted.contentSignal.map((key) => ({ name: 'content-signal', key, no: 'no' })),
  ]
  for (const { name, key, no } of asked) {
    let longest = -1
    let refused = false
    for (const line of lines) {
      const value = line.name === name ? line.values.get(key) : undefined
      if (value === undefined || line.pattern.length < longest) continue
      // Of two lines as specific as each other, the stricter one holds.
      refused = (line.pattern.length === longest && refused) || value === no
      longest = line.pattern.length
    }
    if (refused) return `${name}: ${key}=${no}`
  }
  return undefined
}
