/* The floor of what an AudioSocket echo can cost: one thread, epoll, one read and one write per frame.
 *
 *   cc -O2 -o floor floor.c && ./floor 9092
 *
 * It echoes frames as they come, without a clock, and checks as little as it can. Loopback only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 8192, HEADER = 3, EVENTS = 256 };

struct call {
	int fd;
	size_t held;
	unsigned char buffer[BUFFER];
};

/* Returns 0 when the call is over. */
static int serve(struct call *call)
{
	ssize_t got = read(call->fd, call->buffer + call->held, BUFFER - call->held);
	size_t at = 0;

	if (got < 0)
		return errno == EAGAIN;
	if (got == 0)
		return 0;
	call->held += (size_t)got;
	while (call->held - at >= HEADER) {
		unsigned char *frame = call->buffer + at;
		size_t length = HEADER + ((size_t)frame[1] << 8 | frame[2]);

		if (length > BUFFER)
			return 0;
		if (call->held - at < length)
			break;
		if (frame[0] == 0x10 && write(call->fd, frame, length) < 0 && errno != EAGAIN)
			return 0;
		at += length;
	}
	call->held -= at;
	memmove(call->buffer, call->buffer + at, call->held);
	return 1;
}

static void answer(int listener, int poll)
{
	int on = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct call *call = fd < 0 ? NULL : malloc(sizeof *call);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = call };

	if (!call) {
		if (fd >= 0)
			close(fd);
		return;
	}
	call->fd = fd;
	call->held = 0;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

int main(int count, char **words)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int poll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	signal(SIGPIPE, SIG_IGN);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((unsigned short)(count > 1 ? atoi(words[1]) : 0));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
		perror("floor");
		return 1;
	}
	getsockname(listener, (struct sockaddr *)&address, &length);
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < ready; i++) {
			struct call *call = events[i].data.ptr;

			if (!call) {
				answer(listener, poll);
			} else if (!serve(call)) {
				close(call->fd);
				free(call);
			}
		}
	}
}
