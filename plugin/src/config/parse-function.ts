import { PeerHostError, parseEgress, parseUsdc, type Verification, type Warmup } from '@peerhost/protocol'
import { hasStandIn } from './aws-variables.ts'
import { parseRoute } from './parse-route.ts'
import { isLoose, type Loose, textList } from './types.ts'
import type { Warnings } from './warnings.ts'

/** A price in USDC as atomic units in decimal. @throws PH_CONFIG_PRICE_INVALID */
export function parsePrice(functionName: string, value: unknown): string {
  if (value === undefined || value === null) return '0'
  const amount = typeof value === 'number' || typeof value === 'string' ? parseUsdc(String(value)) : undefined
  if (amount === undefined || amount >= 1n << 128n) {
    const shown = isLoose(value) ? JSON.stringify(value) : String(value)
    throw new PeerHostError('PH_CONFIG_PRICE_INVALID', { function: functionName, price: shown })
  }
  return amount.toString()
}

/** A whole number within limits, also where the file has it as text. @throws PH_CONFIG_INVALID */
export function parseNumber(functionName: string, key: string, value: unknown, min: number, max: number): number {
  const text = String(value).trim()
  const number =
    /^\d+(\s*MB)?$/i.test(text) && (key === 'memorySize' || /^\d+$/.test(text)) ? Number.parseInt(text, 10) : Number.NaN
  if (number >= min && number <= max) return number
  const detail = `function "${functionName}": ${key} is "${text}", not a whole number from ${min} to ${max}`
  throw new PeerHostError('PH_CONFIG_INVALID', { detail })
}

/** @throws PH_CONFIG_RUNTIME_UNSUPPORTED */
export function checkRuntime(functionName: string, definition: Loose, provider: Loose, warnings: Warnings): void {
  const unsupported = (runtime: string) =>
    new PeerHostError('PH_CONFIG_RUNTIME_UNSUPPORTED', { function: functionName, runtime })
  if (definition.image) throw unsupported('container image')
  const runtime = definition.runtime ?? provider.runtime
  if (runtime === undefined || runtime === null) return
  const version = /^nodejs(\d*)(?:\.x|\.\d+)?$/.exec(String(runtime))
  if (!version) throw unsupported(String(runtime))
  if (version[1] && version[1] !== '24')
    warnings.say('Functions run on Node.js 24, whatever nodejs version `runtime` names')
}

/** Variables of provider and function together, as texts. @throws PH_CONFIG_ENVIRONMENT_INVALID */
export function parseEnvironment(functionName: string, definition: Loose, provider: Loose): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const source of [provider.environment, definition.environment]) {
    for (const [variable, value] of Object.entries(isLoose(source) ? source : {})) {
      delete environment[variable]
      if (value === null || value === undefined) continue
      if (
        hasStandIn(value) ||
        !/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable) ||
        !['string', 'number', 'boolean'].includes(typeof value)
      ) {
        throw new PeerHostError('PH_CONFIG_ENVIRONMENT_INVALID', { function: functionName, variable })
      }
      environment[variable] = String(value)
    }
  }
  return environment
}

/** Hosts as `host` or `host:port`, lower case. @throws PH_CONFIG_EGRESS_INVALID */
export const parseEgressList = (value: unknown): string[] =>
  [...new Set(textList(value).map((entry) => parseEgress(entry).text))].sort()

/** @throws PH_CONFIG_VERIFICATION_INVALID */
export function parseVerification(functionName: string, value: unknown, egress: string[]): Verification {
  const invalid = (reason: string) =>
    new PeerHostError('PH_CONFIG_VERIFICATION_INVALID', { function: functionName, verification: String(value), reason })
  if (value === undefined || value === null) return egress.length > 0 ? 'none' : 'deterministic'
  if (value !== 'none' && value !== 'deterministic' && value !== 'public') throw invalid('any class')
  if (value !== 'none' && egress.length > 0) throw invalid('egress')
  return value
}

/** `GET /path`, `{method, path, headers, body, rounds}`, `{event, rounds}`, or an event itself. @throws PH_CONFIG_ROUTE_INVALID, PH_CONFIG_INVALID */
export function parseWarmup(functionName: string, value: unknown): Warmup | undefined {
  if (value === undefined || value === null || value === false) return undefined
  const request = (text: string) => {
    const match = /^\s*([A-Za-z]+)\s+(\/\S*)\s*$/.exec(text)
    if (!match) throw new PeerHostError('PH_CONFIG_ROUTE_INVALID', { function: functionName, route: text })
    const { method } = parseRoute(functionName, { method: match[1], path: '/' })
    return { method, path: match[2]! }
  }
  if (typeof value === 'string') return request(value)
  if (!isLoose(value)) {
    throw new PeerHostError('PH_CONFIG_INVALID', {
      detail: `function "${functionName}": warmup is neither a request line nor an event`,
    })
  }
  const rounds =
    value.rounds === undefined ? {} : { rounds: parseNumber(functionName, 'warmup.rounds', value.rounds, 1, 100) }
  if ('event' in value) return { event: value.event, ...rounds }
  if (typeof value.path !== 'string' || 'requestContext' in value) return { event: value }
  const headers = isLoose(value.headers)
    ? { headers: Object.fromEntries(Object.entries(value.headers).map(([k, v]) => [k.toLowerCase(), String(v)])) }
    : {}
  const body =
    value.body === undefined ? {} : { body: typeof value.body === 'string' ? value.body : JSON.stringify(value.body) }
  return { ...request(`${value.method ?? 'GET'} ${value.path}`), ...headers, ...body, ...rounds }
}
