import { formatUsdc, type Hex, parseAddress } from '@peerhost/protocol'
import type { Request, Response } from 'express'
import type { Context } from '../context.ts'
import { sendJson } from '../http/send-json.ts'
import type { Project, ServedFunction } from '../routing/project-catalogue.ts'

/** A parameter of a query as one text. */
export const queryText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The owner that a query or a Host header names. */
export const ownerOf = (value: unknown): Hex | undefined => parseAddress(value)

/** URL of a project, without slash at the end. */
export const projectUrl = (context: Pick<Context, 'publicUrl'>, { owner, name }: Pick<Project, 'owner' | 'name'>) =>
  `${context.publicUrl}/run/${owner}/${name}`

/** How a function is listed: what is registered, and where it is reached. Price in atomic USDC. */
export function describeService(context: Context, project: Project, { service, definition }: ServedFunction) {
  const url = projectUrl(context, project)
  const { spec } = service
  return {
    owner: project.owner,
    project: project.name,
    function: definition.name,
    serviceId: service.serviceId,
    version: service.version,
    price: String(spec.price),
    priceUsdc: formatUsdc(spec.price),
    verification: definition.verification,
    codeDigest: spec.codeDigest,
    manifestDigest: spec.manifestDigest,
    runtimeId: spec.runtimeId,
    bundleCid: definition.bundleCid,
    description: definition.description,
    timeout: definition.timeout,
    memorySize: definition.memorySize,
    ...(spec.price > 0n && { payTo: context.payments.offer({ service, definition } as ServedFunction).payTo }),
    url: `${url}/${definition.name}`,
    routes: definition.routes.map(({ method, path, kind }) => ({ method, path, kind, url: `${url}${path}` })),
  }
}

const MAX_SERVICES = 2_000

/** GET /services?owner=&project=: what this gateway serves. */
export function servicesRoute(context: Context) {
  return async (req: Request, res: Response): Promise<void> => {
    const owner = ownerOf(req.query.owner)
    const name = queryText(req.query.project)
    const one = owner && name ? await context.catalogue.find(owner, name) : undefined
    const projects = owner && name ? (one ? [one] : []) : await context.catalogue.list(owner)
    const services = projects
      .filter((project) => name === undefined || project.name === name)
      .flatMap((project) => project.functions.map((served) => describeService(context, project, served)))
      .slice(0, MAX_SERVICES)
    sendJson(req, res, 200, { gateway: context.gateway, chainId: context.config.network.chainId, services })
  }
}
