import { PeerHostError } from '@peerhost/protocol'

const VERBS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'ANY'])
const SEGMENT = /^(?:\{[A-Za-z0-9._$-]+\+?\}|[A-Za-z0-9._~!$&'()*+,;=:@%-]+)$/

/** Method and path of an event. */
export interface RoutePlace {
  method: string
  path: string
  /** httpApi's `*`. */
  catchAll?: true
}

/**
 * Reads method and path in every notation of serverless.yml: `GET users/{id}`, `* /users`, `*`, `{method, path}`. The path
 * gets a leading slash and loses a trailing one.
 *
 * @throws PH_CONFIG_ROUTE_INVALID
 */
export function parseRoute(functionName: string, text: { method?: unknown; path?: unknown } | string): RoutePlace {
  const shown = typeof text === 'string' ? text : `${text.method ?? ''} ${text.path ?? ''}`.trim()
  const invalid = () => new PeerHostError('PH_CONFIG_ROUTE_INVALID', { function: functionName, route: shown })

  let method: string
  let path: string
  if (typeof text === 'string') {
    const words = text.trim().split(/\s+/)
    if (words.length > 2) throw invalid()
    method = words.length === 2 ? words[0]! : words[0] === '*' ? '*' : ''
    path = words.at(-1)!
  } else {
    path = typeof text.path === 'string' ? text.path.trim() : ''
    method = typeof text.method === 'string' ? text.method.trim() : path === '*' ? '*' : ''
    if (text.path === undefined) throw invalid()
  }
  method = method === '*' ? 'ANY' : method.toUpperCase()
  if (!VERBS.has(method)) throw invalid()
  if (path === '*') {
    if (method !== 'ANY') throw invalid()
    return { method, path: '/{default+}', catchAll: true }
  }

  const segments = path.split('/').filter((segment, i, all) => segment !== '' || (i > 0 && i < all.length - 1))
  for (const [i, segment] of segments.entries()) {
    if (!SEGMENT.test(segment)) throw invalid()
    if (segment.endsWith('+}') && i < segments.length - 1) throw invalid()
  }
  return { method, path: `/${segments.join('/')}` }
}

/** Two routes with the same key would both match the same requests. */
export const routeKey = ({ method, path, catchAll }: RoutePlace): string =>
  catchAll ? 'default' : `${method} ${path.replace(/\{[^}+]+\}/g, '{}').replace(/\{[^}]+\+\}/g, '{+}')}`
