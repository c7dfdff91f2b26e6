import type { IncomingMessage, ServerResponse } from 'node:http'
import { matchRoute, type Route } from '@peerhost/protocol'
import type { Project } from '../routing/project-catalogue.ts'

/** Request headers of the protocol that a browser may send across origins. */
const ALLOWED = 'PAYMENT-SIGNATURE, PEERHOST-PAYER, PEERHOST-RETRY'

/** CORS headers of a route's answers; none where the origin is not allowed or the route has no `cors`. */
export function corsHeaders(req: IncomingMessage, { cors }: Route): Record<string, string> {
  const { origin } = req.headers
  if (!cors || origin === undefined) return {}
  const any = cors.origins.includes('*')
  if (!any && !cors.origins.includes(origin)) return {}
  return {
    'access-control-allow-origin': any && !cors.allowCredentials ? '*' : origin,
    ...(!any && { vary: 'origin' }),
    ...(cors.allowCredentials && { 'access-control-allow-credentials': 'true' }),
    ...(cors.exposedHeaders?.length && { 'access-control-expose-headers': cors.exposedHeaders.join(', ') }),
  }
}

/** Answers a preflight for a path where some route has `cors`; false where none has. */
export function preflight(req: IncomingMessage, res: ServerResponse, project: Project, path: string): boolean {
  const asked = String(req.headers['access-control-request-method'] ?? 'GET').toUpperCase()
  const route = matchRoute(project.routes, asked, path)?.route
  if (!route?.cors) return false
  const { cors, kind } = route
  const headers = corsHeaders(req, route)
  if (headers['access-control-allow-origin']) {
    headers['access-control-allow-methods'] = cors.methods?.join(', ') ?? `OPTIONS, ${asked}`
    headers['access-control-allow-headers'] = [...cors.headers, ALLOWED].join(', ')
    if (cors.maxAge !== undefined) headers['access-control-max-age'] = String(cors.maxAge)
  }
  res.writeHead(kind === 'http' ? 200 : 204, { ...headers, 'content-length': '0' }).end()
  return true
}
