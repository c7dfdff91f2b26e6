import type { IncomingMessage, ServerResponse } from 'node:http'
import { corsHeaders, type HeaderField, preflightAnswer, type Route } from '@peerhost/protocol'
import type { Project } from '../routing/project-catalogue.ts'

/** Request headers of the protocol that a browser may send across origins. */
const ALSO_ALLOWED = ['payment-signature', 'peerhost-payer', 'peerhost-retry']

/**
 * CORS headers of an answer that the gateway gives in place of a function: also for an `http` event, whose own answers
 * get them from the handler, since a browser could not read a 402 without.
 */
export function gatewayCors(req: IncomingMessage, route: Route | undefined): Record<string, string> {
  if (!route) return {}
  return Object.fromEntries(corsHeaders({ kind: 'httpApi', cors: route.cors }, req.headers.origin))
}

/** CORS headers that the gateway adds to a function's answer. */
export const functionCors = (req: IncomingMessage, route: Route | undefined): HeaderField[] =>
  route ? corsHeaders(route, req.headers.origin) : []

/** Answers a preflight; false where it is none, or for the function to answer. */
export function answerPreflight(req: IncomingMessage, res: ServerResponse, project: Project, path: string): boolean {
  const { method = '', headers } = req
  if (method !== 'OPTIONS') return false
  const answer = preflightAnswer(
    project.routes,
    { method, path, origin: headers.origin, requestMethod: headers['access-control-request-method'] },
    { alsoAllowed: ALSO_ALLOWED },
  )
  if (!answer) return false
  res.writeHead(answer.httpStatus, [...answer.headers.flat(), 'content-length', '0'])
  res.end()
  return true
}
