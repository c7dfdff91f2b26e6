import { type ManifestFunction, matchRoute, type Route, type Warmup } from '@peerhost/protocol'
import { encodeFrame, FRAME } from './jail/frame.ts'
import type { Invocation, SandboxFunction } from './types.ts'

/** The clock that a load and a warm-up request see, on every worker: 2025-01-01. */
const LOAD_CLOCK_MS = 1_735_689_600_000

/** A route as the runtime in the jail takes it. */
type MatchedRoute = Pick<Route, 'kind' | 'payload' | 'method' | 'path' | 'catchAll' | 'binaryMediaTypes'> & {
  pathParameters: Record<string, string>
}

/** The route of an HTTP request; null for a direct call of the function. */
export function routeOf({ routes }: ManifestFunction, method: string, path: string): MatchedRoute | null {
  const match = matchRoute(routes, method, path)
  if (!match) return null
  const { kind, payload, path: pattern, catchAll, binaryMediaTypes } = match.route
  return {
    kind,
    payload,
    method: match.route.method,
    path: pattern,
    catchAll,
    binaryMediaTypes,
    pathParameters: match.pathParameters,
  }
}

/** When a function must have answered: on the clock that it sees. */
function deadlineOf({ verification, timeout }: ManifestFunction, clockMs: number): number {
  return (verification === 'none' ? Date.now() : clockMs) + timeout * 1000
}

function httpHead(definition: ManifestFunction, request: object & { method: string; path: string }) {
  return { kind: 'http', request, route: routeOf(definition, request.method, request.path) }
}

/** The frame that asks a child to run an invocation. */
export function encodeInvocation({ definition }: SandboxFunction, { input, requestHash, clockMs }: Invocation): Buffer {
  const times = { requestId: requestHash, clockMs, deadlineMs: deadlineOf(definition, clockMs) }
  if (input.kind === 'event') return encodeFrame(FRAME.request, { kind: 'event', ...times }, input.body)
  const { body, ...request } = input.request
  return encodeFrame(FRAME.request, { ...httpHead(definition, request), ...times }, body)
}

/** The warm-up request of a manifest as part of an order; its body is text. */
export function warmUpOrder(definition: ManifestFunction): object | undefined {
  const { warmup, codeDigest } = definition
  if (!warmup) return undefined
  const times = { requestId: codeDigest, clockMs: LOAD_CLOCK_MS, deadlineMs: LOAD_CLOCK_MS + definition.timeout * 1000 }
  if ('event' in warmup) {
    return { head: { kind: 'event', ...times }, body: JSON.stringify(warmup.event), rounds: warmup.rounds }
  }
  return {
    head: { ...httpHead(definition, warmUpRequest(warmup)), ...times },
    body: warmup.body ?? '',
    rounds: warmup.rounds,
  }
}

function warmUpRequest({ method, path, headers = {} }: Exclude<Warmup, { event: unknown }>) {
  const [pathname, query = ''] = path.split(/\?(.*)/s) as [string, string?]
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  return { method, host: 'localhost', sourceAddress: '127.0.0.1', path: pathname, query, headers: fields.sort() }
}
