/*
 * The smallest servers there can be, as measures for the others: batches of datagrams in, batches out.
 *
 *   answer echo PORT      sends back what came, marked as a reply: what the kernel and the load generator allow.
 *   answer upstream PORT  answers every question for A or AAAA by one record of 300 s, others by none: an upstream
 *                         at hand that costs next to nothing and never forgets, loses or delays.
 *
 * On 127.0.0.1 alone, until a signal ends it. Built by bench/native.py when it is needed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 4096 + 64, HEADER = 12 };

static unsigned char octets[BATCH][ROOM];
static struct sockaddr_in clients[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static size_t echo(unsigned char *message, size_t length) {
    if (length < HEADER)
        return 0;
    message[2] |= 0x80; /* QR */
    return length;
}

/* Where the first question ends; 0 where there is none. */
static size_t question_end(const unsigned char *message, size_t length) {
    size_t at = HEADER;
    while (at < length && message[at] != 0) {
        if (message[at] > 63)
            return 0;
        at += message[at] + 1u;
    }
    return at + 5 <= length ? at + 5 : 0;
}

static size_t upstream(unsigned char *message, size_t length) {
    static const unsigned char four[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 51, 100, 7};
    static const unsigned char six[] = {0xc0, 12, 0, 28, 0, 1, 0, 0, 1, 44, 0, 16, 0x20, 0x01,
                                        0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    size_t end = length < HEADER ? 0 : question_end(message, length);
    if (end == 0)
        return 0;
    unsigned qtype = message[end - 4] << 8 | message[end - 3];
    size_t added = qtype == 1 ? sizeof four : qtype == 28 ? sizeof six : 0;
    memcpy(message + end, qtype == 1 ? four : six, added);
    message[2] = (message[2] & 0x01) | 0x80; /* QR, and RD as it was */
    message[3] = 0x80;                       /* RA, NOERROR */
    memset(message + 4, 0, 8);
    message[5] = 1;
    message[7] = added != 0;
    return end + added;
}

static int open_socket(int port) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_DGRAM, 0), size = 1 << 22;
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(sock, (struct sockaddr *)&here, sizeof here) != 0) {
        perror("bind");
        exit(1);
    }
    return sock;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: answer echo|upstream PORT\n");
        return 2;
    }
    size_t (*reply)(unsigned char *, size_t) = strcmp(arguments[1], "echo") == 0 ? echo : upstream;
    int sock = open_socket(atoi(arguments[2]));
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            pieces[i] = (struct iovec){octets[i], 4096};
            messages[i].msg_hdr = (struct msghdr){
                .msg_name = &clients[i], .msg_namelen = sizeof clients[i], .msg_iov = &pieces[i], .msg_iovlen = 1};
        }
        int received = recvmmsg(sock, messages, BATCH, MSG_WAITFORONE, NULL), kept = 0;
        for (int i = 0; i < received; i++) {
            size_t length = reply(octets[i], messages[i].msg_len);
            if (length == 0)
                continue;
            pieces[i].iov_len = length;
            messages[kept++].msg_hdr = messages[i].msg_hdr;
        }
        for (int sent = 0, now; sent < kept; sent += now)
            if ((now = sendmmsg(sock, messages + sent, kept - sent, 0)) <= 0)
                now = 1; /* one that can't be sent is lost */
    }
}
