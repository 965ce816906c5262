/* The control socket: who may connect is decided by whoever holds the listening end. */
#define _GNU_SOURCE
#include "control.h"

#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES 8 /* of one client a turn */
#define FDS_MAX 4  /* more than any message has: those too many are closed */

void nw_control_accept(struct nw_loop *loop)
{
	int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (uint32_t i = 0; i < NW_CLIENTS; i++) {
		if (loop->clients[i] >= 0)
			continue;
		if (nw_loop_watch(loop, fd, NW_SOURCE_CLIENT, i, EPOLLIN))
			break;
		loop->clients[i] = fd;
		return;
	}
	close(fd);
}

static void leave(struct nw_loop *loop, uint32_t client)
{
	close(loop->clients[client]);
	loop->clients[client] = -1;
}

/* musl's CMSG_NXTHDR compares signed with unsigned. */
#pragma GCC diagnostic ignored "-Wsign-compare"

/* The first fd of the message, -1 when it has none; the others are closed. */
static int take_fd(struct msghdr *message)
{
	int fd = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int each;

			memcpy(&each, CMSG_DATA(c) + i * sizeof(int), sizeof(each));
			if (fd < 0)
				fd = each;
			else
				close(each);
		}
	}
	return fd;
}

static int64_t count_lines(const struct nw_loop *loop)
{
	int64_t count = 0;

	for (uint32_t i = 0; i < loop->lines; i++)
		count += nw_port_open(&loop->ports[i]);
	return count;
}

static int add(struct nw_loop *loop, const struct nw_request *request, int *fd)
{
	int given = *fd;

	if (given < 0)
		return -EBADF;
	if (loop->drain_until)
		return -ESHUTDOWN;
	*fd = -1;
	return nw_port_add(loop, request->line, given, request->flags & NW_ADD_VNET_HDR);
}

static int ping(struct nw_loop *loop, struct nw_reply *reply)
{
	for (uint32_t i = 0; i < loop->lines; i++) {
		loop->ports[i].torn_until = 0;
		if (loop->ports[i].line)
			nw_port_refresh(loop, i);
	}
	reply->value = (uint64_t)count_lines(loop);
	return 0;
}

static int obey(struct nw_loop *loop, const struct nw_request *request, int *fd, struct nw_reply *reply)
{
	if (request->line >= NW_LINES)
		return -EINVAL;
	switch (request->op) {
	case NW_OP_ADD:
		return add(loop, request, fd);
	case NW_OP_REMOVE:
		if (request->flags & NW_REMOVE_DROP)
			return nw_port_drop(loop, request->line);
		return nw_port_remove(loop, request->line, request->flags & NW_REMOVE_NOW);
	case NW_OP_PING:
		return ping(loop, reply);
	default:
		return -EOPNOTSUPP;
	}
}

/* False when the client is gone. */
static bool serve_one(struct nw_loop *loop, int client)
{
	struct nw_request request = {0};
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = {&request, sizeof(request)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct nw_reply reply = {.magic = NW_CONTROL_MAGIC};
	ssize_t got = recvmsg(client, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fd;

	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	fd = take_fd(&message);
	reply.op = request.op;
	reply.line = request.line;
	reply.id = request.id;
	if (got != sizeof(request) || (message.msg_flags & MSG_TRUNC) || request.magic != NW_CONTROL_MAGIC)
		reply.status = -EINVAL;
	else
		reply.status = obey(loop, &request, &fd, &reply);
	if (fd >= 0)
		close(fd);
	nw_loop_publish(loop); /* whoever reads the reply finds its effect in the statistics */
	/* A client that does not read its replies is no longer one. */
	return send(client, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(reply);
}

void nw_control_serve(struct nw_loop *loop, uint32_t client)
{
	for (int i = 0; i < MESSAGES; i++) {
		if (!serve_one(loop, loop->clients[client])) {
			leave(loop, client);
			return;
		}
	}
}
