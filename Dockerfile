# One image for gateway and tenant: the command says which. `docker build -t my-account-bff .`
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts of packages run here; the one build step is called by name below.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN node scripts/build.ts && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# The image's own unprivileged user; nothing below /app is writable by it.
USER node
EXPOSE 3000
# Health and metrics answer on the admin port, inside the container only unless ADMIN_HOST says otherwise.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ADMIN_PORT ?? 9464}/readyz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Started directly, not through npm: SIGTERM reaches it, and it drains before it ends.
CMD ["node", "--max-semi-space-size=64", "--no-allocation-site-pretenuring", "dist/src/main.js", "start"]
