/** Sources of variables that exist on AWS only. */
const SOURCES = ['ssm', 'cf', 's3', 'aws'] as const

const BEGINNING = '[AWS only: '

/** What such a variable without a fallback becomes: harmless where the key is ignored, refused where it is used. */
const standIn = (source: string, address: string) => `${BEGINNING}${source}:${address}]`

/** True for a text that has the value of an AWS variable in it, which nobody here knows. */
export const hasStandIn = (value: unknown): boolean => typeof value === 'string' && value.includes(BEGINNING)

/** `${…}` from its first character on: the text up to its own brace or comma, and whether a fallback follows. */
function readVariable(text: string, start: number): { address: string; hasFallback: boolean } {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    if (text.startsWith('${', at)) depth++
    else if (text[at] === '}' && depth-- === 0) return { address: text.slice(start, at), hasFallback: false }
    else if (text[at] === ',' && depth === 0) return { address: text.slice(start, at), hasFallback: true }
  }
  return { address: text.slice(start), hasFallback: false }
}

/** A pattern of the addresses that one with variables in it may stand for. */
function patternOf(address: string): RegExp {
  const escaped = (text: string) => text.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&')
  return new RegExp(
    `^${address
      .trim()
      .split(/\$\{.*?\}+/)
      .map(escaped)
      .join('.*')}$`,
    's',
  )
}

/** True if any of the texts names that variable with a fallback: `${ssm:/table, 'local'}`. */
export function hasFallback(texts: Iterable<string>, source: string, address: string): boolean {
  for (const text of texts) {
    for (const match of text.matchAll(new RegExp(`\\$\\{${source}(?:\\([^)]*\\))?:`, 'g'))) {
      const variable = readVariable(text, match.index + match[0].length)
      if (variable.hasFallback && patternOf(variable.address).test(address)) return true
    }
  }
  return false
}

function* textsIn(value: unknown, seen = new Set<unknown>()): Generator<string> {
  if (typeof value === 'string') yield value
  if (typeof value !== 'object' || value === null || seen.has(value)) return
  seen.add(value)
  for (const member of Object.values(value)) yield* textsIn(member, seen)
}

/**
 * `configurationVariablesSources` for `${ssm:…}`, `${cf:…}`, `${s3:…}` and `${aws:…}`. They have no value, so that a fallback is
 * taken. Without one they have a stand-in: files from AWS are full of them in `iam`, `vpc` and `resources`, which are ignored.
 */
export function awsVariableSources(configuration: () => unknown) {
  const source = (name: string) => ({
    resolve: async ({ address }: { address?: string | null }) => {
      const known = hasFallback(textsIn(configuration()), name, address ?? '')
      return { value: known ? null : standIn(name, address ?? '') }
    },
  })
  return Object.fromEntries(SOURCES.map((name) => [name, source(name)]))
}
