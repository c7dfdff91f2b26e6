import { createHash } from 'node:crypto'
import type { HeaderField, Hex, ManifestFunction, Route, Warmup } from '@peerhost/protocol'
import type { Invocation } from '../types.ts'

/** What a parameter of a path is filled with. */
const PARAMETER = '1'
const BODY = '{}'
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

/** An invocation and how to name it to people. */
export interface SampleInvocation {
  name: string
  invocation: Invocation
}

/**
 * Requests that show whether a function is deterministic: its warm-up request, or one for each route with the
 * parameters of its path filled in, or, without routes, a direct call.
 *
 * @param clockMs what the function sees as the time; the present by default
 */
export function sampleInvocations(definition: ManifestFunction, clockMs: number = Date.now()): SampleInvocation[] {
  const sample = (name: string, input: Invocation['input']): SampleInvocation => ({
    name,
    invocation: { input, requestHash: seedOf(`${definition.codeDigest} ${name}`), clockMs },
  })
  if (definition.warmup) return [sample('the warm-up request', inputOfWarmup(definition.warmup))]
  const routes = definition.routes.filter((route) => route.method !== 'OPTIONS')
  if (routes.length === 0) return [sample('a direct call', request({ method: 'GET', path: `/${definition.name}` }))]
  const byName = new Map<string, SampleInvocation>()
  for (const route of routes) {
    const line = requestLineOf(route)
    const name = `${line.method} ${line.path}`
    byName.set(name, sample(name, request(line)))
  }
  return [...byName.values()]
}

const seedOf = (text: string): Hex => `0x${createHash('sha256').update(text).digest('hex')}`

function requestLineOf(route: Route): { method: string; path: string } {
  return {
    method: route.method === 'ANY' ? 'GET' : route.method,
    path: route.path.replaceAll(/\{[^}]*\}/g, PARAMETER),
  }
}

function inputOfWarmup(warmup: Warmup): Invocation['input'] {
  if ('event' in warmup) return { kind: 'event', body: Buffer.from(JSON.stringify(warmup.event)) }
  return request(warmup)
}

interface RequestLine {
  method: string
  path: string
  headers?: Record<string, string>
  body?: string
}

function request({ method, path, headers = {}, body }: RequestLine): Invocation['input'] {
  const [pathname, query = ''] = split(path, '?')
  const content = body ?? (WITHOUT_BODY.has(method) ? '' : BODY)
  const fields = Object.entries({ ...(content ? { 'content-type': 'application/json' } : {}), ...headers })
    .map(([name, value]): HeaderField => [name.toLowerCase(), value])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return {
    kind: 'http',
    request: {
      method,
      host: 'localhost',
      sourceAddress: '127.0.0.1',
      path: pathname!,
      query,
      headers: fields,
      body: Buffer.from(content),
    },
  }
}

function split(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
