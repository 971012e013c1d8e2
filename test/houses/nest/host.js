// A gateway as a middleware of a Nest application, whose own controllers answer beside it. Decorators are functions: called as such, nothing is compiled.
import 'reflect-metadata';
import process from 'node:process';
import { Body, Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const { createGateway } = await import(process.env.GATEWAY);
const gateway = createGateway(process.env);

class Pages {
  answer() {
    return 'host';
  }
  order(body) {
    return body;
  }
}
const of = (name) => [
  Pages.prototype,
  name,
  Object.getOwnPropertyDescriptor(Pages.prototype, name),
];
Get(['before', 'after', 'api/orders', 'auth/other'])(...of('answer'));
Post('api/orders')(...of('order'));
HttpCode(200)(...of('order'));
Body()(Pages.prototype, 'order', 0);
Controller()(Pages);
class Root {}
Module({ controllers: [Pages] })(Root);

const host = await NestFactory.create(Root, { logger: ['error'] });
host.use(gateway.app);
await host.listen(Number(process.env.PORT), 'localhost');
process.stdout.write('ready\n');
