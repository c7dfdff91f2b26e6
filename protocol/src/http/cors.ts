import type { CanonicalResponse, HeaderField } from '../canonical/types.ts'
import type { Cors, Route } from '../manifest/types.ts'
import { matchRoute } from '../routing/match-route.ts'

export interface PreflightRequest {
  method: string
  /** Starts with the slash after the project, without query. */
  path: string
  /** `origin` header. */
  origin?: string
  /** `access-control-request-method` header. */
  requestMethod?: string
}

export interface PreflightOptions {
  /** Request headers that are allowed besides those of the route, such as those of a payment. */
  alsoAllowed?: readonly string[]
}

/** A `*` cannot go with credentials (Fetch standard, CORS protocol): then the origin itself is named. */
function originHeaders({ origins, allowCredentials }: Cors, origin: string | undefined): HeaderField[] | undefined {
  const any = origins.includes('*')
  if (any && !allowCredentials) return [['access-control-allow-origin', '*']]
  if (origin === undefined || !(any || origins.includes(origin))) return undefined
  const headers: HeaderField[] = [
    ['access-control-allow-origin', origin],
    ['vary', 'origin'],
  ]
  if (allowCredentials) headers.push(['access-control-allow-credentials', 'true'])
  return headers
}

/**
 * What the gateway adds to every answer of a route. An `httpApi` has its CORS headers from the gateway, which replace the
 * handler's own of these names; an `http` event has none, there the handler sets them (API Gateway's behaviour for both).
 *
 * @param origin the request's `origin` header; without one it is no CORS request and nothing is added
 */
export function corsHeaders({ kind, cors }: Pick<Route, 'kind' | 'cors'>, origin: string | undefined): HeaderField[] {
  if (kind !== 'httpApi' || !cors || origin === undefined) return []
  const headers = originHeaders(cors, origin)
  if (!headers) return []
  if (cors.exposedHeaders?.length) headers.push(['access-control-expose-headers', cors.exposedHeaders.join(', ')])
  return headers
}

function preflightHeaders(
  cors: Cors,
  origin: string | undefined,
  asked: string,
  alsoAllowed: readonly string[],
): HeaderField[] {
  const headers = originHeaders(cors, origin)
  if (!headers) return []
  headers.push(['access-control-allow-methods', cors.methods?.join(', ') || `OPTIONS, ${asked}`])
  headers.push(['access-control-allow-headers', [...cors.headers, ...alsoAllowed].join(', ')])
  if (cors.maxAge !== undefined) headers.push(['access-control-max-age', String(cors.maxAge)])
  return headers
}

/**
 * The gateway's answer to a preflight: 200 for an `http` event (its OPTIONS mock), 204 for an `httpApi`, without CORS
 * headers if the origin is not allowed. Undefined if it is none, if the path has no `cors`, or if a route of its own serves
 * OPTIONS: then the handler gets it. A route for any method leaves preflights to the gateway.
 */
export function preflightAnswer(
  routes: readonly Route[],
  { method, path, origin, requestMethod }: PreflightRequest,
  { alsoAllowed = [] }: PreflightOptions = {},
): CanonicalResponse | undefined {
  if (method !== 'OPTIONS') return undefined
  if (matchRoute(routes, 'OPTIONS', path)?.route.method === 'OPTIONS') return undefined
  const asked = requestMethod?.toUpperCase() ?? 'GET'
  const route = matchRoute(routes, asked, path)?.route
  if (!route?.cors) return undefined
  if (route.kind === 'httpApi' && (origin === undefined || requestMethod === undefined)) return undefined
  const headers = preflightHeaders(route.cors, origin, asked, alsoAllowed)
  return { httpStatus: route.kind === 'http' ? 200 : 204, headers, body: new Uint8Array() }
}
